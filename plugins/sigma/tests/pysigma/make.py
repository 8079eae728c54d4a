"""Writes queries.json: what pySigma makes of every rule in rules.yml.

    python3 -m venv /tmp/pysigma
    /tmp/pysigma/bin/pip install pySigma==1.5.1 pySigma-backend-splunk==2.1.0 pySigma-backend-kusto==1.0.1
    /tmp/pysigma/bin/python make.py

Each rule is converted as `sigma convert --without-pipeline -t splunk` and `-t kusto` do. Where pySigma refuses, the reason is kept as
`{"refused": …}`. Nothing here is edited by hand: where this plugin says something else on purpose, tests/convert.rs says so and why.
"""

import json
import pathlib

from sigma.backends.kusto import KustoBackend
from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection

HERE = pathlib.Path(__file__).parent


def convert(backend, rule):
    try:
        queries = backend().convert(SigmaCollection.from_yaml(rule))
    except Exception as error:  # pySigma's own errors, and those of Python where it has none
        return {"refused": f"{type(error).__name__}: {error}"}
    return queries[0] if len(queries) == 1 else {"refused": f"{len(queries)} queries"}


queries = {}
for rule in (HERE / "rules.yml").read_text().split("\n---\n"):
    title = rule.split("title: ", 1)[1].splitlines()[0]
    assert title not in queries, title
    queries[title] = {"splunk": convert(SplunkBackend, rule), "kusto": convert(KustoBackend, rule)}
(HERE / "queries.json").write_text(json.dumps(queries, indent=1, ensure_ascii=False) + "\n")
