#!/usr/bin/env python3
"""The queries of spl-legitimate.txt that pySigma makes of the rules in spl-sigma.yml, without a pipeline and with splunk_windows.

    pip install pysigma-backend-splunk==2.1.0 && ./spl-sigma.py

What it prints stands first in spl-legitimate.txt; what is written by hand follows."""

import pathlib

from sigma.backends.splunk import SplunkBackend
from sigma.collection import SigmaCollection
from sigma.pipelines.splunk import splunk_windows_pipeline

rules = pathlib.Path(__file__).with_name("spl-sigma.yml").read_text().strip().split("\n---\n")
[counted] = [rule for rule in rules if "\nname: " in rule]
cases = {}
for pipeline, maker in [(None, "pySigma"), (splunk_windows_pipeline(), "pySigma, splunk_windows")]:
    for rule in rules:
        title = rule.splitlines()[0].removeprefix("title: ")
        source = f"{counted}\n---\n{rule}" if "\ncorrelation: " in rule else rule
        # Of a pipeline's other products there are none: they are as without one.
        for query in SplunkBackend(processing_pipeline=pipeline).convert(SigmaCollection.from_yaml(source))[-1:]:
            cases.setdefault(query, f"{maker}: {title}")
print("\n---\n".join(f"# {title}\n{query}" for query, title in cases.items()))
