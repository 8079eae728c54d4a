"""MISP's own Python client, pymisp, against the MISP fake: `misp_check.py http://127.0.0.1:PORT KEY`.

pymisp knows nothing of Casemate. What it can read, and hold against the schema that it ships, the fake gets right.
"""

from __future__ import annotations

import logging
import sys

from pymisp import MISPEvent, MISPSighting, PyMISP, PyMISPError

from checks import Checks

OURS = "5e6f1c2a-0b3d-4c4e-9f5a-6b7c8d9e0f10"
ADDRESS = "198.51.100.7"


def refuses(origin: str, key: str) -> bool:
    """Whether a connection with this key is refused."""
    try:
        PyMISP(origin, key, ssl=False)
    except PyMISPError:
        return True
    return False


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: misp_check.py http://127.0.0.1:PORT KEY")
    origin, key = sys.argv[1:]
    logging.getLogger("pymisp").setLevel(logging.CRITICAL)
    checks = Checks()
    misp = PyMISP(origin, key, ssl=False)
    checks.equal("it connects, and reads version, user and types", (misp.misp_instance_version["version"], "ip-dst" in misp.types), ("2.5.34", True))
    checks.that("a wrong key does not connect", refuses(origin, "wrong"))

    events = misp.search("events", value=ADDRESS, metadata=True, pythonify=True)
    checks.equal("events with an address, of everybody", [event.id for event in events], [1, 2, 3, 4])
    held = misp.search("events", org=[OURS], tags={"NOT": ["tlp:red"]}, last="30d", metadata=True, pythonify=True)
    checks.equal("events of an organisation, without red ones", [event.info for event in held], ["Phishing against our customers"])
    attributes = misp.search("attributes", value=ADDRESS, include_event_tags=True, pythonify=True)
    checks.equal("attributes, with what their events are tagged", [[tag.name for tag in it.tags] for it in attributes][1], ["TLP:RED"])
    checks.equal("pages", [it.id for it in misp.search("attributes", limit=2, page=2, pythonify=True)], [13, 14])

    event = misp.get_event(1, pythonify=True)
    checks.that("an event is one to pymisp", isinstance(event, MISPEvent) and event.uuid.endswith("000000000001"))
    checks.equal("its organisation, tags and objects", (event.orgc.uuid, event.tags[0].name, event.objects[0].name), (OURS, "tlp:green", "file"))
    checks.equal("an event that is not there", misp.get_event(99)["errors"][0], 404)

    checks.equal("a value on warninglists", len(misp.values_in_warninglist(["8.8.8.8"])["8.8.8.8"]), 2)
    checks.equal("a value on none", misp.values_in_warninglist(["192.0.2.1"]), [])

    made = misp.add_attribute(1, {"type": "ip-dst", "category": "Network activity", "value": "192.0.2.9", "distribution": 0}, pythonify=True)
    checks.equal("an attribute is added", (made.event_id, made.value, made.distribution), (1, "192.0.2.9", 0))
    again = misp.add_attribute(1, {"type": "ip-dst", "category": "Network activity", "value": "192.0.2.9"})
    checks.equal("and not twice", (again["errors"][0], again["errors"][1]["saved"]), (403, False))
    checks.equal("its event is unpublished by it", misp.get_event(1, pythonify=True).published, False)

    sighting = MISPSighting()
    sighting.from_dict(type="1", source="proxy")
    told = misp.add_sighting(sighting, made.id, pythonify=True)
    checks.equal("a sighting", (told.attribute_id, told.type), (str(made.id), "1"))

    checks.equal("an event is published", misp.publish(5)["name"], "Job queued")
    checks.equal("and is", misp.get_event(5, pythonify=True).published, True)
    checks.equal("somebody else's is not", misp.publish(4)["errors"][0], 403)
    checks.end()


if __name__ == "__main__":
    main()
