"""The MCP Python SDK with tokens of oidc-provider, and attacks with changed, borrowed and made-up ones.

    oauth_check.py --issuer URL --url URL --staging URL --log FILE --state FOLDER

Both endpoints believe the issuer, and each is its own resource. FILE is the first one's log, FOLDER its state.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import pathlib
import time

import httpx2
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client

from checks import Checks

EICAR = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
ERAS = ["legacy", "auto"]
ALGORITHMS = ["RS256", "ES256", "EdDSA"]


class Memory:
    """Where the SDK keeps what it was given."""

    def __init__(self) -> None:
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens) -> None:
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client) -> None:
        self.client = client


def secret(client: str) -> str:
    return f"interop-secret-of-{client}"


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(part: str) -> dict:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def part(value: dict) -> str:
    return encoded(json.dumps(value).encode())


async def sdk(args: argparse.Namespace, checks: Checks) -> list[str]:
    """The whole of it by the SDK: challenge, metadata, token, call, and a better token for a call that needs one."""
    seen = []
    for algorithm in ALGORITHMS:
        for mode in ERAS:
            print(f"{algorithm}, {mode}:", flush=True)
            memory, client = Memory(), f"robot-{algorithm}"
            auth = ClientCredentialsOAuthProvider(args.url, memory, client, secret(client), issuer=args.issuer)
            async with httpx2.AsyncClient(auth=auth, timeout=20) as http:
                async with Client(streamable_http_client(args.url, http_client=http), mode=mode, read_timeout_seconds=20) as session:
                    result = await session.call_tool("virustotal_file_report", {"hash": EICAR})
                    checks.that("a call with a token that the SDK found its way to", not result.is_error, result)
                    checks.equal("it asked for what lets it in", memory.tokens.scope, "casemate")
                    seen.append(memory.tokens.access_token)
                    content = encoded(b"interop").replace("-", "+").replace("_", "/") + "="
                    result = await session.call_tool("virustotal_submit_file", {"file_base64": content, "filename": "a.txt"})
                    text = "\n".join(block.text for block in result.content if block.type == "text")
                    checks.that("a call that needs more is made with more", "insufficient" not in text, text)
                    checks.equal("it asked for what the challenge named", set(memory.tokens.scope.split()), {"casemate", "casemate.write"})
                    seen.append(memory.tokens.access_token)
    return seen


class Door:
    """Requests with one token each, as they are on the wire."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.http = httpx2.Client(timeout=20)

    def token(self, resource: str, client: str = "robot-ES256", scope: str = "casemate") -> str:
        form = {"grant_type": "client_credentials", "resource": resource, "scope": scope}
        answer = self.http.post(f"{self.issuer}/token", data=form, auth=(client, secret(client)))
        return answer.raise_for_status().json()["access_token"]

    def knock(self, url: str, token: str) -> int:
        request = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
        return self.http.post(url, json=request, headers=headers).status_code

    def new_keys(self, kid: str) -> None:
        self.http.post(f"{self.issuer}/_keys", params={"kid": kid}).raise_for_status()

    def keys(self) -> list[dict]:
        return self.http.get(f"{self.issuer}/jwks").raise_for_status().json()["keys"]


def attacks(args: argparse.Namespace, checks: Checks) -> list[str]:
    door, seen = Door(args.issuer), []

    def refused(what: str, token: str) -> None:
        seen.append(token)
        checks.equal(f"{what}: refused", door.knock(args.url, token), 401)

    print("attacks:", flush=True)
    good = door.token(args.url)
    checks.that("a good token is let in", door.knock(args.url, good) not in (401, 403), door.knock(args.url, good))
    head, payload, signature = good.split(".")

    refused("for another audience", door.token("https://other.example/mcp"))
    staging = door.token(args.staging)
    checks.that("staging's token is good there", door.knock(args.staging, staging) != 401)
    refused("staging's token", staging)
    checks.equal("production's token in staging: refused", door.knock(args.staging, good), 401)
    without = door.token(args.url, scope="casemate.write")
    seen.append(without)
    checks.equal("without the scope that lets in: refused as insufficient", door.knock(args.url, without), 403)

    refused("without a signature", f"{head}.{payload}.")
    refused("alg none", f"{part(decoded(head) | {'alg': 'none'})}.{payload}.")
    refused("alg none with the old signature", f"{part(decoded(head) | {'alg': 'none'})}.{payload}.{signature}")
    for key in door.keys():
        signed = f"{part(decoded(head) | {'alg': 'HS256', 'kid': key['kid']})}.{payload}"
        for name, value in [("as JSON", json.dumps(key).encode()), ("in bytes", key.get("n", key.get("x")).encode())]:
            mac = hmac.new(value, signed.encode(), hashlib.sha256).digest()
            refused(f"HS256 by the public {key['alg']} key {name}", f"{signed}.{encoded(mac)}")
        if key["alg"] != "ES256":
            refused(f"ES256 by the {key['alg']} key", f"{part(decoded(head) | {'kid': key['kid']})}.{payload}.{signature}")
    refused("with more scopes written in", f"{head}.{part(decoded(payload) | {'scope': 'casemate casemate.write'})}.{signature}")
    refused("with a later end written in", f"{head}.{part(decoded(payload) | {'exp': int(time.time()) + 9999})}.{signature}")
    refused("with a key of its own", f"{part(decoded(head) | {'jwk': door.keys()[1]})}.{payload}.{signature}")
    refused("too long", f"{head}.{part(decoded(payload) | {'x': 'x' * 20_000})}.{signature}")
    refused("no token at all", "made-up")

    brief = door.token(args.url, "robot-brief")
    checks.that("a brief token is let in", door.knock(args.url, brief) != 401)
    time.sleep(3.2)
    refused("expired", brief)

    print("keys:", flush=True)
    door.new_keys("first")
    refused("signed by a swapped key of the same name", door.token(args.url))
    checks.that("the known key still counts", door.knock(args.url, good) != 401)
    door.new_keys("second")
    renewed = door.token(args.url)
    seen.append(renewed)
    checks.that("a new key is fetched when it is needed", door.knock(args.url, renewed) != 401)
    refused("signed by a key that is gone", good)
    for number in range(30):
        door.knock(args.url, f"{part(decoded(head) | {'kid': f'made-up-{number}'})}.{payload}.{signature}")
    checks.that("and a flood of made-up names changes nothing", door.knock(args.url, renewed) != 401)
    return seen


def nowhere(args: argparse.Namespace, tokens: list[str], checks: Checks) -> None:
    """No token, and no signature of one, is in the log or the state."""
    files = [pathlib.Path(args.log), *(path for path in pathlib.Path(args.state).rglob("*") if path.is_file())]
    held = b"\n".join(path.read_bytes() for path in files)
    parts = {piece for token in tokens for piece in token.split(".") if len(piece) > 40}
    checks.that("no part of a token in the log and the state", not [piece for piece in parts if piece.encode() in held])
    checks.that("the log was looked at", b"a bearer token was refused" in held)


def main() -> None:
    parser = argparse.ArgumentParser(description="The MCP Python SDK with tokens of oidc-provider, and attacks.")
    for name in ["issuer", "url", "staging", "log", "state"]:
        parser.add_argument(f"--{name}", required=True)
    args, checks = parser.parse_args(), Checks()
    try:
        tokens = asyncio.run(sdk(args, checks))
        nowhere(args, tokens + attacks(args, checks), checks)
    except Exception as error:  # The SDK raises whatever its transports do, often in groups; any of it is a failed session.
        checks.that("the session holds", False, error)
    checks.end()


if __name__ == "__main__":
    main()
