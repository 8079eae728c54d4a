"""What every client has to get done, whoever wrote it: the same list as card.mjs and tests/interop/rmcp have."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).parent.parent))
from checks import Checks  # noqa: E402

CHANGED_S = 5.0


class Client(Protocol):
    """One client, connected. Results are what the wire has: dictionaries with the protocol's own names."""

    version: str
    capabilities: dict[str, Any]
    # Whether giving a call up tells the server so.
    cancels: bool
    # Whether it can follow changes of the tool list.
    follows: bool

    async def tools(self) -> list[dict[str, Any]]: ...
    async def call(self, name: str, arguments: dict[str, Any], progress: Callable[[float], None] | None = None) -> dict[str, Any]: ...
    async def changes(self, told: Callable[[], None]) -> None: ...
    async def prompts(self) -> list[dict[str, Any]]: ...
    async def prompt(self, name: str) -> dict[str, Any]: ...
    async def resources(self) -> list[dict[str, Any]]: ...


def text(result: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"] if block["type"] == "text")


async def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + CHANGED_S
    while time.monotonic() < end:
        if holds():
            return True
        await asyncio.sleep(0.05)
    return False


async def session(client: Client, version: str, change: Callable[[], Awaitable[None]], checks: Checks) -> None:
    checks.equal("the revision that was to be agreed on", client.version, version)

    tools = {tool["name"]: tool for tool in await client.tools()}
    checks.that("lists the tools", "test_simple_text" in tools, sorted(tools))
    structured = tools["test_structured_content"]
    checks.equal("sees that a tool only reads", (structured.get("annotations") or {}).get("readOnlyHint"), True)
    schemas = structured["inputSchema"].get("$defs", {}).get("place"), structured.get("outputSchema")
    checks.that("sees both schemas", all(schemas), structured)

    simple = await client.call("test_simple_text", {})
    checks.equal("calls a tool", text(simple), "This is a simple text response for testing.")
    forecast = await client.call("test_structured_content", {"place": "Delft"})
    checks.equal("reads structured content", forecast.get("structuredContent"), {"place": "Delft", "days": 1})
    mixed = await client.call("test_multiple_content_types", {})
    kinds = [block["type"] for block in mixed["content"]]
    checks.equal("reads text, image and embedded resource", kinds, ["text", "image", "resource"])
    audio = (await client.call("test_audio_content", {}))["content"][0]
    checks.equal("reads audio", (audio["type"], audio.get("mimeType")), ("audio", "audio/wav"))
    link = (await client.call("test_resource_link", {}))["content"][0]
    checks.equal("reads a link", link["type"], "resource_link")

    refused = await client.call("test_structured_content", {"place": "Delft", "days": 99})
    checks.that("a refusal is a result that says so", refused.get("isError") and "days" in text(refused), refused)
    reason = refused.get("structuredContent") or {}
    checks.that("and says why to a program", reason.get("decision") == "denied" and reason.get("reason"), refused)
    broken = await client.call("test_error_handling", {})
    checks.that("a fault is a result with its text", broken.get("isError") and "intentionally" in text(broken), broken)

    reports: list[float] = []
    await client.call("test_tool_with_progress", {}, reports.append)
    checks.equal("is told of progress", reports, [0, 50, 100])

    if client.cancels:
        begun = asyncio.Event()
        slow = asyncio.create_task(client.call("test_slow", {}, lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 10)
        slow.cancel()
        ended = (await asyncio.gather(slow, return_exceptions=True))[0]
        checks.that("gives a call up that has begun", isinstance(ended, BaseException), ended)
        checks.that("and goes on", not (await client.call("test_simple_text", {})).get("isError"))

    if client.follows:
        await follow(client, tools, change, checks)
    if client.capabilities.get("prompts") is not None:
        prompts = [prompt["name"] for prompt in await client.prompts()]
        checks.that("lists prompts", "test_simple_prompt" in prompts, prompts)
        prompt = await client.prompt("test_simple_prompt")
        checks.that("reads a prompt", prompt["messages"][0]["content"]["type"] == "text", prompt)
    if client.capabilities.get("resources") is not None:
        resources = await client.resources()
        uris = {one["uri"] for one in resources}
        checks.that("lists resources, the host's and the operator's", {"casemate://audit/self", "test://static-text"} <= uris, resources)


async def follow(client: Client, tools: dict[str, Any], change: Callable[[], Awaitable[None]], checks: Checks) -> None:
    times = 0

    def told() -> None:
        nonlocal times
        times += 1

    await client.changes(told)
    before = times
    await change()
    checks.that("is told that the tool list changed", await until(lambda: times > before), times)
    fewer = [tool["name"] for tool in await client.tools()]
    checks.that("and sees the new one", len(fewer) == len(tools) - 1 and "test_slow" not in fewer, fewer)
    before = times
    await change()
    await until(lambda: times > before)
    checks.equal("and the old one again", len(await client.tools()), len(tools))
