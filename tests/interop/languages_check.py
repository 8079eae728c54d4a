"""Plugins in Python and JavaScript, called through the MCP Python SDK.

    languages_check.py REQUESTS -- casemate serve …

REQUESTS is the file that languages_upstream.py writes to. The server must have both plugins installed and bound to it, and all of their
tools granted but `epss_find`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from mcp import Client, MCPError, StdioServerParameters

from checks import Checks

GRANTED = {"indicators_find", "indicators_known_file", "epss_scores"}
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
TEXT = "Seen: hxxps://evil[.]example/a?b=1, 192.0.2[.]7, " + EMPTY.upper()


class Session:
    """One client, and what reached the upstream because of it."""

    def __init__(self, client: Client, requests: Path, checks: Checks) -> None:
        self.client = client
        self.requests = requests
        self.checks = checks

    async def call(self, tool: str, arguments: dict) -> tuple[object, list[str]]:
        """The result of a call, and the requests it made."""
        before = len(self.requests.read_text().splitlines())
        result = await self.client.call_tool(tool, arguments)
        return result, self.requests.read_text().splitlines()[before:]

    async def answers(self, what: str, tool: str, arguments: dict, structured: dict, sent: list[str]) -> None:
        """A call that works, with one answer and these requests."""
        result, reached = await self.call(tool, arguments)
        self.checks.that(f"{what}: no error", not result.is_error, result)
        self.checks.equal(f"{what}: the answer", result.structured_content, structured)
        self.checks.equal(f"{what}: what reached the upstream", reached, sent)

    async def refused(self, what: str, tool: str, arguments: dict, reason: str, sent: list[str]) -> None:
        """A call that does not, for this reason, and what it sent all the same."""
        result, reached = await self.call(tool, arguments)
        self.checks.that(f"{what}: an error", result.is_error, result)
        self.checks.equal(f"{what}: the reason", (result.structured_content or {}).get("reason"), reason)
        self.checks.equal(f"{what}: what reached the upstream", reached, sent)


async def python(session: Session) -> None:
    found = [
        {"kind": "url", "value": "https://evil.example/a?b=1", "defanged": "hxxps://evil[.]example/a?b=1"},
        {"kind": "ip", "value": "192.0.2.7", "defanged": "192[.]0[.]2[.]7"},
        {"kind": "sha256", "value": EMPTY, "defanged": EMPTY},
    ]
    await session.answers("Python", "indicators_find", {"text": TEXT}, {"indicators": found, "complete": True}, [])
    known = {"known": True, "malicious": False, "name": "usr/share/doc/empty", "source": "NSRL", "trust": 75}
    sent = [f"GET /lookup/sha256/{EMPTY}"]
    await session.answers("Python, a request", "indicators_known_file", {"hash": EMPTY.upper()}, known, sent)
    sent = [f"GET /lookup/sha1/{'0' * 40}"]
    await session.answers("Python, status 404", "indicators_known_file", {"hash": "0" * 40}, {"known": False}, sent)
    await session.refused("Python, other arguments", "indicators_known_file", {"hash": "../../admin"}, "arguments-invalid", [])


async def javascript(session: Session) -> None:
    cves = ["CVE-2021-44228", "CVE-2024-0001"]
    rows = [("CVE-2021-44228", "0.943580000", "0.999570000"), ("CVE-2024-0001", "0.000430000", "0.125810000")]
    scores = [{"cve": cve, "probability": epss, "percentile": share, "date": "2026-01-01"} for cve, epss, share in rows]
    sent = [f"GET /data/v1/epss?cve={'%2C'.join(cves)}"]
    await session.answers("JavaScript, a request", "epss_scores", {"cves": cves}, {"scores": scores}, sent)
    sent = ["GET /data/v1/epss?cve=CVE-2024-0002"]
    await session.refused("JavaScript, status 429", "epss_scores", {"cves": ["CVE-2024-0002"]}, "rate-limited", sent)
    await session.refused("JavaScript, other arguments", "epss_scores", {"cves": ["CVE-2024-0001&all=1"]}, "arguments-invalid", [])


async def serve(command: list[str], requests: Path, checks: Checks) -> None:
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
    async with Client(server, read_timeout_seconds=60) as client:
        session = Session(client, requests, checks)
        checks.equal("what is granted is listed", {tool.name for tool in (await client.list_tools()).tools}, GRANTED)
        await python(session)
        await javascript(session)
        try:
            result, reached = await session.call("epss_find", {"text": "CVE-2024-0001"})
            checks.that("what is not granted is refused", result.is_error and not reached, result)
        except MCPError as error:
            checks.equal("what is not granted is refused", error.code, -32602)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requests", type=Path)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    checks = Checks()
    try:
        asyncio.run(serve(args.command, args.requests, checks))
    except Exception as error:  # The SDK raises whatever its transports do, often in groups; any of it is a failed session.
        checks.that("the session holds", False, error)
    checks.end()


if __name__ == "__main__":
    main()
