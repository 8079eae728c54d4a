"""The MCP Python SDK, both major versions, and FastMCP as clients of `casemate serve`.

    python_sdk.py mcp1|mcp2|fastmcp legacy|auto|pinned CHANGE http URL        the token in CASEMATE_TOKEN
    python_sdk.py mcp1|mcp2|fastmcp legacy|auto|pinned CHANGE stdio COMMAND…

CHANGE is the program that changes the tool list. Which packages there are is the virtual environment's business.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

from card import Checks, session

TIMEOUT = 20


def wire(value: Any) -> dict[str, Any]:
    """As it was on the wire."""
    return value.model_dump(by_alias=True, mode="json", exclude_none=True)


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['CASEMATE_TOKEN']}"}


async def pages(fetch: Callable[[str | None], Any], key: str) -> list[dict[str, Any]]:
    """All pages, one by one."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = wire(await fetch(cursor))
        found += page[key]
        cursor = page.get("nextCursor")
        if cursor is None:
            return found


class First:
    """`ClientSession` of the first major version. It has no way to tell the server that a call is given up."""

    cancels = False
    follows = True

    def __init__(self, inner: Any, begun: Any, told: list[Callable[[], None]]) -> None:
        self.inner, self.told = inner, told
        self.version = begun.protocolVersion
        self.capabilities = wire(begun.capabilities)

    async def tools(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_tools(cursor), "tools")

    async def call(self, name: str, arguments: dict[str, Any], progress: Callable[[float], None] | None = None) -> dict[str, Any]:
        async def report(done: float, _total: float | None, _message: str | None) -> None:
            progress(done)

        return wire(await self.inner.call_tool(name, arguments, progress_callback=report if progress else None))

    async def changes(self, told: Callable[[], None]) -> None:
        self.told.append(told)

    async def prompts(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_prompts(cursor), "prompts")

    async def prompt(self, name: str) -> dict[str, Any]:
        return wire(await self.inner.get_prompt(name))

    async def resources(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_resources(cursor), "resources")


@asynccontextmanager
async def first(transport: str, where: list[str]) -> AsyncIterator[First]:
    from mcp import ClientSession, StdioServerParameters, stdio_client
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
    from mcp.types import ServerNotification, ToolListChangedNotification

    told: list[Callable[[], None]] = []

    async def message(received: Any) -> None:
        if isinstance(received, ServerNotification) and isinstance(received.root, ToolListChangedNotification):
            for tell in told:
                tell()

    async with AsyncExitStack() as stack:
        if transport == "http":
            http = await stack.enter_async_context(create_mcp_http_client(headers=headers()))
            read, write, _ = await stack.enter_async_context(streamable_http_client(where[0], http_client=http))
        else:
            server = StdioServerParameters(command=where[0], args=where[1:], env=dict(os.environ))
            read, write = await stack.enter_async_context(stdio_client(server))
        inner = ClientSession(read, write, read_timeout_seconds=timedelta(seconds=TIMEOUT), message_handler=message)
        await stack.enter_async_context(inner)
        yield First(inner, await inner.initialize(), told)


class Second:
    """`Client` of the second major version, which FastMCP stands on."""

    cancels = True
    follows = True

    def __init__(self, inner: Any, stack: AsyncExitStack, told: list[Callable[[], None]]) -> None:
        self.inner, self.stack, self.told = inner, stack, told
        self.version = inner.protocol_version
        self.capabilities = wire(inner.server_capabilities)

    async def tools(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_tools(cursor=cursor, cache_mode="refresh"), "tools")

    async def call(self, name: str, arguments: dict[str, Any], progress: Callable[[float], None] | None = None) -> dict[str, Any]:
        async def report(done: float, _total: float | None, _message: str | None) -> None:
            progress(done)

        return wire(await self.inner.call_tool(name, arguments, progress_callback=report if progress else None))

    async def changes(self, told: Callable[[], None]) -> None:
        if self.version < "2026":
            self.told.append(told)
            return
        changes = await self.stack.enter_async_context(self.inner.listen(tools_list_changed=True))

        async def follow() -> None:
            async for _ in changes:
                told()

        task = asyncio.create_task(follow())
        self.stack.callback(task.cancel)

    async def prompts(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_prompts(cursor=cursor), "prompts")

    async def prompt(self, name: str) -> dict[str, Any]:
        return wire(await self.inner.get_prompt(name))

    async def resources(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_resources(cursor=cursor), "resources")


def tells(told: list[Callable[[], None]]) -> Callable[[Any], Any]:
    from mcp_types import ToolListChangedNotification

    async def message(received: Any) -> None:
        if isinstance(received, ToolListChangedNotification):
            for tell in told:
                tell()

    return message


@asynccontextmanager
async def second(mode: str, transport: str, where: list[str]) -> AsyncIterator[Second]:
    import httpx2
    from mcp import Client, StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client

    told: list[Callable[[], None]] = []
    async with AsyncExitStack() as stack:
        if transport == "http":
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers(), timeout=TIMEOUT))
            server = streamable_http_client(where[0], http_client=http)
        else:
            server = StdioServerParameters(command=where[0], args=where[1:], env=dict(os.environ))
        inner = Client(server, mode=mode, read_timeout_seconds=TIMEOUT, message_handler=tells(told))
        yield Second(await stack.enter_async_context(inner), stack, told)


class Fast(Second):
    """FastMCP's `Client`, by the methods that give what the protocol gives."""

    def __init__(self, inner: Any, stack: AsyncExitStack, told: list[Callable[[], None]]) -> None:
        super().__init__(inner, stack, told)
        # It has no `subscriptions/listen`.
        self.follows = self.version < "2026"

    async def tools(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_tools_mcp(cursor=cursor), "tools")

    async def call(self, name: str, arguments: dict[str, Any], progress: Callable[[float], None] | None = None) -> dict[str, Any]:
        async def report(done: float, _total: float | None, _message: str | None) -> None:
            progress(done)

        return wire(await self.inner.call_tool_mcp(name, arguments, progress_handler=report if progress else None))

    async def prompts(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_prompts_mcp(cursor=cursor), "prompts")

    async def resources(self) -> list[dict[str, Any]]:
        return await pages(lambda cursor: self.inner.list_resources_mcp(cursor=cursor), "resources")


@asynccontextmanager
async def fast(mode: str, transport: str, where: list[str]) -> AsyncIterator[Fast]:
    from fastmcp import Client
    from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

    told: list[Callable[[], None]] = []
    async with AsyncExitStack() as stack:
        if transport == "http":
            server = StreamableHttpTransport(where[0], headers=headers())
        else:
            server = StdioTransport(where[0], where[1:], env=dict(os.environ), keep_alive=False)
        inner = Client(server, mode=mode, timeout=TIMEOUT, message_handler=tells(told))
        yield Fast(await stack.enter_async_context(inner), stack, told)


async def run(which: str, mode: str, change: str, transport: str, where: list[str], checks: Checks) -> None:
    async def changed() -> None:
        process = await asyncio.create_subprocess_exec(change)
        checks.equal("the tool list is changed", await process.wait(), 0)

    wanted = "2026-07-28" if mode == "pinned" else mode
    connected = first(transport, where) if which == "mcp1" else {"mcp2": second, "fastmcp": fast}[which](wanted, transport, where)
    async with connected as client:
        await session(client, "2025-11-25" if mode == "legacy" else "2026-07-28", changed, checks)


def main() -> None:
    which, mode, change, transport, *where = sys.argv[1:]
    checks = Checks()
    try:
        asyncio.run(run(which, mode, change, transport, where, checks))
    except Exception as error:  # The SDKs raise whatever their transports do, often in groups; any of it is a failed session.
        import traceback

        checks.that("the session holds", False, "".join(traceback.format_exception(error))[-580:])
    checks.end()


if __name__ == "__main__":
    main()
