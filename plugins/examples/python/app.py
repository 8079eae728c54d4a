"""Indicators of compromise: the plugin's tools, and how they are called.

The tools are glue; `indicators` finds, `hashlookup` asks, `upstream` sends. What the host has to know before it loads any of this is in
plugin.toml.
"""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import casemate_plugin_types as types

import hashlookup
import indicators
from failure import ToolFailure

TOOLS = [
    {
        "name": "find",
        "title": "Find indicators",
        "description": "Find the indicators of compromise in a text: addresses, domains, URLs, e-mail addresses, file hashes and CVE "
        "numbers, also where they are defanged (hxxp, [.]). Each is returned once, as it is and defanged. Nothing is sent anywhere.",
        "inputSchema": indicators.ARGUMENTS,
        "outputSchema": indicators.RESULT,
        "effect": "read",
        "idempotent": True,
    },
    {
        "name": "known_file",
        "title": "Known file",
        "description": "Say whether a file with this MD5, SHA-1 or SHA-256 hash is part of known software, according to CIRCL hashlookup. "
        "Only the hash is sent. That a file is known does not make it harmless, nor the other way round.",
        "inputSchema": hashlookup.ARGUMENTS,
        "outputSchema": hashlookup.RESULT,
        "effect": "read",
        "idempotent": True,
    },
]
RUN = {"find": indicators.find, "known_file": hashlookup.known_file}


class Tools(exports.Tools):
    """What the plugin exports: `casemate:plugin/tools`."""

    def describe(self) -> str:
        return json.dumps(TOOLS)

    def call(self, invocation: types.Invocation) -> types.Outcome:
        # The host has checked the arguments against the signed schema, and calls no tool that is not described.
        try:
            text, structured = RUN[invocation.tool](json.loads(invocation.arguments))
        except ToolFailure as failure:
            kind = types.FailureKind[failure.kind]
            raise Err(types.Failure(kind, failure.code, str(failure), failure.retry_after_ms)) from failure
        return types.Outcome([types.Content_Text(text)], json.dumps(structured))
