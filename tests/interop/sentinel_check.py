"""Azure's own Python client, azure-monitor-query, against the Sentinel fakes: `sentinel_check.py http://API http://ENTRA SECRET`.

azure-monitor-query knows nothing of Casemate. What it can read, the fakes get right. It sends no token without TLS unless it is told to, and
azure-identity asks for tokens over TLS alone: so the token is had by hand.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timedelta, timezone

from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import BearerTokenCredentialPolicy
from azure.monitor.query import LogsQueryClient, LogsQueryPartialResult, LogsQueryStatus

from checks import Checks

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "8d6a1c0e-2a5b-4c7e-9a57-0c4d3f0b6a11"
WORKSPACE = "b438b3f6-912a-46d5-9cb1-b44069212ab4"
FORBIDDEN = "b438b3f6-912a-46d5-9cb1-b44069212abc"
RESOURCE = "https://api.loganalytics.azure.com/.default"


class Credential:
    """A token that the fake of Entra gave out."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class Plain(BearerTokenCredentialPolicy):
    """The client's own policy, without TLS."""

    def on_request(self, request) -> None:
        request.context.options["enforce_https"] = False
        super().on_request(request)


def client(origin: str, token: str) -> LogsQueryClient:
    credential = Credential(token)
    return LogsQueryClient(credential, endpoint=origin, authentication_policy=Plain(credential, RESOURCE), retry_total=0)


def token(entra: str, secret: str) -> str:
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": secret, "scope": RESOURCE}
    request = urllib.request.Request(f"{entra}/{TENANT}/oauth2/v2.0/token", urllib.parse.urlencode(form).encode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["access_token"]


def refused(call) -> tuple[int | None, str | None]:
    """Status and code of the HttpResponseError that a call raises; nothing if it raises none."""
    try:
        call()
    except HttpResponseError as raised:
        return raised.status_code, getattr(raised.model, "code", None)
    return None, None


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("usage: sentinel_check.py http://API http://ENTRA SECRET")
    origin, entra, secret = sys.argv[1:]
    checks = Checks()
    try:
        wrong = token(entra, "wrong")
    except urllib.error.HTTPError as error:
        wrong = json.load(error)["error"]
    checks.equal("a wrong secret gets no token", wrong, "invalid_client")
    logs = client(origin, token(entra, secret))
    start = datetime(2026, 11, 22, tzinfo=timezone.utc)
    hour = (start, start + timedelta(minutes=59))

    found = logs.query_workspace(WORKSPACE, "SecurityEvent | where EventID == 4625", timespan=hour)
    checks.equal("a search is done", found.status, LogsQueryStatus.SUCCESS)
    table = found.tables[0]
    checks.equal("its columns", table.columns[:3], ["TimeGenerated", "Computer", "EventID"])
    checks.equal("its rows are those of the span", len(table.rows), 15)
    checks.equal("times are times", table.rows[0]["TimeGenerated"], start)
    checks.equal("a dynamic value is a text of JSON", json.loads(table.rows[0]["Properties"])["logon"]["type"], 0)
    real = logs.query_workspace(WORKSPACE, "SigninLogs | take 1", timespan=None).tables[0].rows[0]
    checks.equal("values of other types", (real["Risk"], real["IsInteractive"], real["Nothing"]), (0.5, True, None))
    counted = logs.query_workspace(WORKSPACE, "SecurityEvent | count", timespan=hour, server_timeout=50)
    checks.equal("counted", counted.tables[0].rows[0]["Count"], 60)

    for what, workspace, query, expected in [
        ("an unknown column", WORKSPACE, "SecurityEvent | where Nothing == 1", (400, "BadArgumentError")),
        ("what is no query", WORKSPACE, ".show tables", (400, "BadArgumentError")),
        ("another workspace", FORBIDDEN, "SecurityEvent", (403, "InsufficientAccessError")),
    ]:
        checks.equal(what, refused(lambda: logs.query_workspace(workspace, query, timespan=hour)), expected)
    status, _ = refused(lambda: client(origin, "wrong").query_workspace(WORKSPACE, "SecurityEvent", timespan=hour))
    checks.equal("a wrong token", status, 401)
    checks.that("no answer broke off", not isinstance(found, LogsQueryPartialResult))
    checks.end()


if __name__ == "__main__":
    main()
