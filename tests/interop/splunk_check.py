"""Splunk's own Python SDK, splunk-sdk, against the Splunk fake: `splunk_check.py http://127.0.0.1:PORT TOKEN PASSWORD`.

splunk-sdk knows nothing of Casemate. What it can read, the fake gets right.
"""

from __future__ import annotations

import json
import sys
import time
from urllib.parse import urlsplit

from splunklib import client
from splunklib.binding import AuthenticationError, HTTPError
from splunklib.results import JSONResultsReader

from checks import Checks

WINDOW = {"earliest_time": "1795219200", "latest_time": "1795305600"}


def status(call) -> int | None:
    """The status of the HTTPError that a call raises; None if it raises none."""
    try:
        call()
    except HTTPError as raised:
        return raised.status
    return None


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("usage: splunk_check.py http://127.0.0.1:PORT TOKEN PASSWORD")
    origin, token, password = sys.argv[1:]
    place = urlsplit(origin)
    where = {"scheme": place.scheme, "host": place.hostname, "port": place.port}
    checks = Checks()
    service = client.connect(**where, splunkToken=token)
    checks.equal("the server says what it is", service.info["version"], "9.4.1")

    job = service.jobs.create("search index=web status=500 | stats count by host", exec_mode="normal", **WINDOW)
    looks = 0
    while not job.is_done():
        looks += 1
        time.sleep(0.05)
    checks.that("a job runs before it is done", looks > 0, looks)
    checks.equal("and tells how it is", (job["dispatchState"], job["resultCount"]), ("DONE", "3"))
    rows = list(JSONResultsReader(job.results(output_mode="json", count=0)))
    checks.equal("results are rows", rows[0], {"host": "web-00", "count": "4"})
    job.cancel()
    checks.equal("a cancelled job is gone", status(job.refresh), 404)

    stream = service.jobs.oneshot("search index=auth user=alice | head 2", output_mode="json", **WINDOW)
    events = [row for row in JSONResultsReader(stream) if isinstance(row, dict)]
    checks.equal("one shot has its events at once", [event["user"] for event in events], ["alice", "alice"])

    failing = service.jobs.create("search index=web | nosuchcommand", exec_mode="blocking", **WINDOW)
    failing.refresh()
    checks.equal("a command that nobody knows fails the job", failing["isFailed"], "1")

    about = json.loads(service.get("data/indexes/web", output_mode="json").body.read())
    checks.equal("an index is told of", about["entry"][0]["content"]["totalEventCount"], "120")
    named = service.indexes.list(search='name="auth" OR name="web"')
    checks.equal("a list has the indexes that its filter names", [index.name for index in named], ["auth", "web"])
    checks.equal("and tells what is in them", (named[1]["totalEventCount"], named[1]["disabled"]), ("120", "0"))
    checks.equal("a filter can leave out those of Splunk's own", len(service.indexes.list(search="isInternal=0")), 3)
    checks.equal("and one that fits none has none", service.indexes.list(search='name="nothing"'), [])
    checks.equal("a page is as long as is asked", [index.name for index in service.indexes.list(count=1, offset=1)], ["auth"])
    for what, call, expected in [
        ("an unknown index", lambda: service.get("data/indexes/nothing", output_mode="json"), 404),
        ("an unknown job", lambda: client.Job(service, "1.1").refresh(), 404),
        ("a query that cannot be read", lambda: service.jobs.create('search "'), 400),
        ("a query without a command", lambda: service.jobs.create("index=web"), 400),
    ]:
        checks.equal(what, status(call), expected)

    logged_in = client.connect(**where, username="casemate", password=password)
    checks.equal("a session's key is taken, too", logged_in.info["version"], "9.4.1")
    for what, wrong in [("a wrong token", {"splunkToken": "x"}), ("a wrong password", {"username": "casemate", "password": "x"})]:
        try:
            client.connect(**where, **wrong).info
            checks.that(what, False, "was taken")
        except (AuthenticationError, HTTPError) as raised:
            checks.that(what, True, raised)
    checks.end()


if __name__ == "__main__":
    main()
