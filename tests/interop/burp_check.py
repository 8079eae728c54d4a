"""The MCP Python SDK's client for HTTP with SSE against the Burp fake: `burp_check.py http://127.0.0.1:PORT`.

The SDK knows nothing of Casemate. What it can be told over the stream, the fake says right.
"""

from __future__ import annotations

import asyncio
import json
import sys

import httpx2
from mcp import ClientSession, MCPError
from mcp.client.sse import sse_client

from checks import Checks


def text(result) -> str:
    """Everything a tool says."""
    return "\n".join(block.text for block in result.content if block.type == "text")


async def session(origin: str, checks: Checks) -> None:
    async with sse_client(f"{origin}/") as (read, write), ClientSession(read, write, read_timeout_seconds=20) as client:
        welcome = await client.initialize()
        checks.equal("the server says what it is", welcome.server_info.name, "burp-suite")
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        checks.that("the four tools that the plugin uses are there", {"get_proxy_http_history", "get_scanner_issues", "send_http1_request", "create_repeater_tab"} <= set(listed), sorted(listed))
        checks.equal("send_http1_request: arguments", sorted(listed["send_http1_request"].input_schema["required"]), ["content", "targetHostname", "targetPort", "usesHttps"])

        page = text(await client.call_tool("get_proxy_http_history", {"count": 2, "offset": 0})).split("\n\n")
        checks.equal("history: two items", [sorted(json.loads(item)) for item in page], [["notes", "request", "response"]] * 2)
        cut = text(await client.call_tool("get_proxy_http_history", {"count": 1, "offset": 2}))
        checks.equal("history: a long item is cut", (len(cut), cut[5000:]), (5015, "... (truncated)"))
        end = await client.call_tool("get_proxy_http_history", {"count": 5, "offset": 99})
        checks.equal("history: its end is told in words", text(end), "Reached end of items")
        issue = json.loads(text(await client.call_tool("get_scanner_issues", {"count": 1, "offset": 0})))
        checks.equal("issues: one, and not cut", (issue["severity"], len(issue["definition"]["background"])), ("HIGH", 6000))

        target = {"targetHostname": "app.test", "targetPort": 443, "usesHttps": True}
        sent = text(await client.call_tool("send_http1_request", {"content": "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", **target}))
        checks.that("what was sent is said with the response", sent.startswith("HttpRequestResponse{httpRequest=GET / HTTP/1.1\r\nHost: app.test\r\n\r\n, httpResponse=HTTP/1.1 200 OK"), sent)
        tab = await client.call_tool("create_repeater_tab", {"tabName": "x", "content": "GET / HTTP/1.1\r\n\r\n", **target})
        checks.equal("a tab is made", text(tab), "Executed tool")
        short = await client.call_tool("send_http1_request", {"content": "GET /"})
        checks.that("what is missing is an error of the tool's", short.is_error and text(short).startswith("Error: Field 'targetHostname' is required"), short)
        try:
            await client.call_tool("no_such_tool", {})
            checks.that("an unknown tool: an error", False)
        except MCPError as error:
            checks.equal("an unknown tool: an error", error.code, -32602)


async def refusals(origin: str, checks: Checks) -> None:
    async with httpx2.AsyncClient(timeout=20) as http:
        for what, target, headers, status in [
            ("no session", "/", {}, 400),
            ("another session", "/?sessionId=another", {}, 404),
            ("a browser", "/", {"user-agent": "Mozilla/5.0"}, 403),
            ("another host name", "/", {"host": "burp.example"}, 403),
            ("a page of another site", "/", {"origin": "http://evil.example"}, 403),
            ("another path", "/mcp", {}, 404),
        ]:
            message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            answered = (await http.post(f"{origin}{target}", json=message, headers=headers)).status_code
            checks.equal(f"{what}: refused", answered, status)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: burp_check.py http://127.0.0.1:PORT")
    checks = Checks()
    asyncio.run(session(sys.argv[1], checks))
    asyncio.run(refusals(sys.argv[1], checks))
    checks.end()


if __name__ == "__main__":
    main()
