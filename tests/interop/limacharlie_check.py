"""LimaCharlie's own SDK against the LimaCharlie fake: `limacharlie_check.py API JWT KEY ORGANIZATION`, two origins and what they take.

The SDK knows nothing of Casemate. What it can read, the fake gets right.
"""

from __future__ import annotations

import os
import sys

# Tokens are kept in memory only. The SDK reads this when it is imported.
os.environ["LC_EPHEMERAL_CREDS"] = "1"

import limacharlie.client  # noqa: E402
from limacharlie.client import Client  # noqa: E402
from limacharlie.errors import LimaCharlieError  # noqa: E402
from limacharlie.sdk.hive import Hive, HiveRecord  # noqa: E402
from limacharlie.sdk.organization import Organization  # noqa: E402
from limacharlie.sdk.sensor import Sensor  # noqa: E402

from checks import Checks  # noqa: E402

START = 1_795_305_600
DAY = 86_400
RULE = {"detect": {"event": "NEW_PROCESS", "op": "exists", "path": "event/X"}, "respond": [{"action": "report", "name": "x"}]}


def error(call) -> str:
    """What the error that a call raises says; nothing if it raises none."""
    try:
        call()
    except LimaCharlieError as raised:
        return str(raised)
    return ""


def main() -> None:
    if len(sys.argv) != 5:
        sys.exit("usage: limacharlie_check.py API JWT KEY ORGANIZATION")
    limacharlie.client.ROOT_URL, limacharlie.client.JWT_URL, key, oid = sys.argv[1:]
    checks = Checks()
    org = Organization(Client(oid=oid, api_key=key))

    sensors = list(org.list_sensors(limit=2))
    checks.equal("sensors go on to their end", [one["hostname"] for one in sensors], ["web-1", "dc-1", "laptop-7"])
    checks.equal("those that are online", [one["hostname"] for one in org.list_sensors(is_online_only=True)], ["web-1", "dc-1"])
    web, laptop = Sensor(org, sensors[0]["sid"]), Sensor(org, sensors[2]["sid"])
    checks.that("a sensor, its platform and that it is online", web.is_online() and web.is_linux, web.get_info())
    checks.that("and one that is not", laptop.is_windows and not laptop.is_online(), laptop.get_info())
    checks.equal("tags", sorted(web.get_tags()), ["web", "yara-ok"])
    checks.equal("a task is taken, whatever it says", web.task("yara_scan --pid 1 cnVsZSB4IHsgY29uZGl0aW9uOiB0cnVlIH0="), {})

    checks.equal("detections, packed, page by page", len(list(org.get_detections(START, START + DAY, limit=120))), 120)
    checks.equal("of a category", len(list(org.get_detections(START, START + DAY, category="odd parent"))), 12)
    checks.equal("of an hour", len(list(org.get_detections(START, START + 3_599))), 60)

    hive = Hive(org, "dr-general")
    checks.equal("the hive at once and in pages", len(hive.list()), sum(len(page) for page in hive.iter_pages(limit=25)))
    checks.equal("a sound rule is valid", hive.validate(HiveRecord("interop", data=RULE)).get("name"), "interop")
    hive.set(HiveRecord("interop", data=RULE, enabled=True, tags=["casemate"]))
    stored = hive.get("interop")
    checks.equal("a rule is what was set", (stored.data, stored.enabled, stored.tags), (RULE, True, ["casemate"]))
    checks.equal("its metadata has no data", hive.get_metadata("interop").tags, ["casemate"])
    old = HiveRecord("interop", data=RULE, etag="etag-0")
    elsewhere = Organization(Client(oid="00000000-0000-4000-8000-000000000000", api_key=key))
    stranger = Organization(Client(oid=oid, api_key="another"))
    for what, call, part in [
        ("another version than the one there", lambda: hive.set(old), "ETAG_MISMATCH"),
        ("a rule that is not sound", lambda: hive.validate(HiveRecord("x", data={"detect": {"op": "guess"}})), "INVALID_RECORD"),
        ("validating stores nothing", lambda: hive.get("x"), "RECORD_NOT_FOUND"),
        ("an unknown sensor", lambda: Sensor(org, oid).get_info(), "not found"),
        ("another organization", lambda: list(elsewhere.list_sensors()), "Failed to get JWT"),
        ("another key", lambda: list(stranger.list_sensors()), "Failed to get JWT"),
    ]:
        said = error(call)
        checks.that(what, part in said, said)
    hive.delete("interop")
    checks.that("a rule is deleted", "RECORD_NOT_FOUND" in error(lambda: hive.get("interop")))
    checks.end()


if __name__ == "__main__":
    main()
