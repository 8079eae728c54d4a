"""CIRCL hashlookup: whether a hash is that of a known file (https://www.circl.lu/services/hashlookup/)."""

import json

import upstream
from failure import ToolFailure

ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
# What an upstream calls a file is cut: it is data from outside.
MAX_NAME = 200

ARGUMENTS = {
    "type": "object",
    "properties": {
        "hash": {
            "type": "string",
            "description": "An MD5, SHA-1 or SHA-256 hash in hexadecimal.",
            "maxLength": 64,
            "pattern": "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
        }
    },
    "required": ["hash"],
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "properties": {
        "known": {"type": "boolean"},
        "name": {"type": "string", "description": "What the file is called there."},
        "source": {"type": "string", "description": "Where it is known from, such as NSRL."},
        "trust": {"type": "integer", "description": "From 0 to 100; above 50 it is in trusted collections."},
        "malicious": {"type": "boolean", "description": "Whether a collection of malware has it."},
    },
    "required": ["known"],
    "additionalProperties": False,
}


def known_file(arguments: dict) -> tuple[str, dict]:
    """The tool `known_file`."""
    digest = arguments["hash"].lower()
    status, body = upstream.get("hashlookup", f"/lookup/{ALGORITHMS[len(digest)]}/{digest}")
    if status == 404:
        return f"{digest} is not a known file", {"known": False}
    if status == 429:
        raise ToolFailure("RATE_LIMITED", "hashlookup wants fewer requests", "429", 60_000)
    if status != 200:
        raise ToolFailure("UPSTREAM", f"hashlookup answered with status {status}", str(status))
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ToolFailure("UPSTREAM", "hashlookup answered with something that is not a JSON object")
    report = {"known": True, "malicious": bool(answer.get("KnownMalicious"))}
    for key, name in (("name", "FileName"), ("source", "source")):
        if isinstance(answer.get(name), str):
            report[key] = answer[name][:MAX_NAME]
    if isinstance(answer.get("hashlookup:trust"), int):
        report["trust"] = answer["hashlookup:trust"]
    verdict = "a known malicious file" if report["malicious"] else "a known file"
    shown = ", ".join(f"{key} {report[key]}" for key in ("name", "source", "trust") if key in report)
    return f"{digest} is {verdict}" + (f" ({shown})" if shown else ""), report
