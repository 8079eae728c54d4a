"""The MCP Python SDK as a client of `casemate serve`, in both eras of the protocol.

    mcp_py_check.py [--hash HASH] -- casemate serve …        over stdio
    mcp_py_check.py [--hash HASH] --http URL --token TOKEN   over Streamable HTTP

The server must have the VirusTotal plugin installed and bound to the fake, with a budget of at least two calls.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from checks import Checks

EICAR = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
READ_TOOLS = {
    "virustotal_file_report",
    "virustotal_url_report",
    "virustotal_ip_report",
    "virustotal_domain_report",
    "virustotal_analysis",
}
# Disabled until an operator enables it, so it may be listed or not.
ALL_TOOLS = READ_TOOLS | {"virustotal_submit_file"}
# How to connect, and the protocol version that must come of it.
ERAS = [("legacy", "2025-11-25"), ("auto", "2026-07-28")]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The MCP Python SDK as a client of casemate serve.")
    parser.add_argument("--http", metavar="URL", help="the Streamable HTTP endpoint")
    parser.add_argument("--token", default=os.environ.get("CASEMATE_TOKEN"), help="its bearer token; also CASEMATE_TOKEN")
    parser.add_argument("--hash", default=EICAR, help="the file to look up; the EICAR test file when left out")
    parser.add_argument("command", nargs="*", help="the server to start, for stdio")
    args = parser.parse_args()
    if bool(args.http) == bool(args.command):
        parser.error("give either --http or a command")
    return args


def text(result) -> str:
    """Everything a model would read of a result."""
    return "\n".join(block.text for block in result.content if block.type == "text")


async def session(client: Client, version: str, file_hash: str, checks: Checks) -> None:
    checks.equal("protocol version", client.protocol_version, version)
    checks.that("the server says what it is", client.server_info is None or client.server_info.name == "casemate", client.server_info)
    checks.that("the server has tools", client.server_capabilities.tools is not None, client.server_capabilities)

    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    checks.that("every read tool is listed", READ_TOOLS <= set(listed), sorted(listed))
    checks.that("no other VirusTotal tool is", {name for name in listed if name.startswith("virustotal_")} <= ALL_TOOLS, sorted(listed))
    for name in sorted(READ_TOOLS & set(listed)):
        tool = listed[name]
        checks.that(f"{name}: described", tool.description, tool)
        checks.equal(f"{name}: takes nothing but what it names", tool.input_schema.get("additionalProperties"), False)
        checks.that(f"{name}: says it only reads", tool.annotations and tool.annotations.read_only_hint, tool.annotations)

    # The SDK itself checks a structured result against the tool's output schema.
    report = await client.call_tool("virustotal_file_report", {"hash": file_hash})
    checks.that("file_report: no error", not report.is_error, text(report))
    checks.that("file_report: structured", isinstance(report.structured_content, dict), report.structured_content)
    checks.that("file_report: about that file", file_hash in json.dumps(report.structured_content), report.structured_content)
    checks.that("file_report: text as well", text(report).strip(), report.content)

    refused = await client.call_tool("virustotal_file_report", {"hash": "not-a-hash"})
    checks.that("malformed hash: an error", refused.is_error, refused)
    checks.that("malformed hash: says which argument", "hash" in text(refused), text(refused))
    reason = (refused.structured_content or {}).get("reason")
    checks.that("malformed hash: a reason a program can read", reason, refused.structured_content)

    refused = await client.call_tool("virustotal_file_report", {"hash": file_hash, "extra": 1})
    checks.that("an argument too many: an error", refused.is_error, refused)

    try:
        unknown = await client.call_tool("virustotal_no_such_tool", {})
        checks.that("unknown tool: an error", unknown.is_error, unknown)
    except MCPError as error:
        checks.equal("unknown tool: invalid params", error.code, -32602)


async def over_stdio(args: argparse.Namespace, checks: Checks) -> None:
    command, *rest = args.command
    for mode, version in ERAS:
        print(f"stdio, {mode}:", flush=True)
        # The SDK hands down only a few variables; the server is started as a person would start it.
        server = StdioServerParameters(command=command, args=rest, env=dict(os.environ))
        async with Client(server, mode=mode, read_timeout_seconds=20) as client:
            await session(client, version, args.hash, checks)


async def over_http(args: argparse.Namespace, checks: Checks) -> None:
    for mode, version in ERAS:
        print(f"http, {mode}:", flush=True)
        headers = {"Authorization": f"Bearer {args.token}"} if args.token else {}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
            async with Client(streamable_http_client(args.http, http_client=http), mode=mode, read_timeout_seconds=20) as client:
                await session(client, version, args.hash, checks)
    if args.token:
        request = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        accept = {"Accept": "application/json, text/event-stream"}
        async with httpx2.AsyncClient(timeout=20) as http:
            for name, credential in [("no token", {}), ("a wrong token", {"Authorization": "Bearer wrong"})]:
                status = (await http.post(args.http, json=request, headers=accept | credential)).status_code
                checks.equal(f"{name}: refused", status, 401)


def main() -> None:
    args = arguments()
    checks = Checks()
    try:
        asyncio.run(over_http(args, checks) if args.http else over_stdio(args, checks))
    except Exception as error:  # The SDK raises whatever its transports do, often in groups; any of it is a failed session.
        checks.that("the session holds", False, error)
    checks.end()


if __name__ == "__main__":
    main()
