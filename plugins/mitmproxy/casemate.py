"""One more way into mitmweb, for Casemate: read one recorded request, and replay a copy of it.

    mitmweb -s casemate.py --set web_password=…

mitmweb itself can do neither: it has no address for one flow, and lets nothing change that comes without a browser's cookie. Here a
client shows the password as `Authorization: Bearer …`, which no page can make a browser do, and gets two addresses and no others:

    GET  /casemate/flows/ID           what a replay would hit
    POST /casemate/flows/ID/replay    copy it, change what was asked for, send the copy, and say what became of it

The rest of mitmweb stays as it is. The recorded flow is never changed.
"""

import asyncio
import hmac
import re
import time
from collections import deque

from mitmproxy import ctx, exceptions, http
from mitmproxy.tools.web import app

# Replays in a minute, whoever asks.
MOST, SPAN = 10, 60.0
# How long the answer of a replay is waited for.
PATIENCE = 10.0
# What may be another in the copy. None of these proves who somebody is.
HEADERS = {
    "accept",
    "accept-language",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "origin",
    "referer",
    "user-agent",
    "x-requested-with",
}
PATH = r"/(?!/)[!\"$->@-\[\]-~]{0,2000}"
CHANGES = {"path", "query", "headers", "body"}
# What a client says that it believes is stored: it has to be.
BELIEFS = {"method", "target"}


def origin(scheme: str, authority: str, port: int | None = None) -> str:
    """An origin in its plainest spelling: lower case, without the port that everybody would take."""
    host, colon, digits = authority.rpartition(":")
    if port is None and colon and digits.isdigit():
        authority, port = host, int(digits)
    authority = authority.lower().rstrip(".")
    if ":" in authority and not authority.startswith("["):
        authority = f"[{authority}]"
    usual = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}://{authority}" + ("" if port in (None, usual) else f":{port}")


def described(flow: http.HTTPFlow) -> dict:
    """What a replay of it would hit: where the connection goes, and whom the request names, which can be somebody else."""
    request = flow.request
    target = origin(request.scheme, request.host, request.port)
    named = [*request.headers.get_all("host"), request.authority]
    targets = {target, *(origin(request.scheme, name) for name in named if name)}
    return {
        "id": flow.id,
        "method": request.method,
        "target": target,
        "targets": sorted(targets),
        "has_body": bool(request.raw_content),
        "obstacle": ctx.master.addons.get("clientplayback").check(flow),
    }


def outcome(flow: http.HTTPFlow) -> dict:
    """What became of a replay."""
    said = {"id": flow.id, "status": None, "error": None}
    if flow.response:
        said["status"] = flow.response.status_code
        said["headers"] = [list(pair) for pair in flow.response.headers.items(True)]
    elif flow.error:
        said["error"] = flow.error.msg
    return said


class Handler(app.RequestHandler):
    def prepare(self):
        super().prepare()
        scheme, _, key = self.request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not is_password(self.settings, key):
            raise app.APIError(403, "This needs mitmweb's password.")

    def check_xsrf_cookie(self):
        """Nothing to check: nobody else can make a browser send the password."""

    def recorded(self) -> http.HTTPFlow:
        if not isinstance(self.flow, http.HTTPFlow):
            raise app.APIError(404, "That is no HTTP flow.")
        return self.flow


def is_password(settings: dict, key: str) -> bool:
    # mitmweb asks for a password since 11.1.2.
    asked = settings.get("is_valid_password")
    if asked:
        return bool(key) and asked(key)
    password = ctx.options.web_password
    return bool(password) and hmac.compare_digest(key.encode(), password.encode())


class One(Handler):
    def get(self, flow_id):
        self.write(described(self.recorded()))


class Replay(Handler):
    # When the last ones were.
    times: deque = deque(maxlen=MOST)

    async def post(self, flow_id):
        flow, wanted = self.recorded(), self.json
        if not isinstance(wanted, dict) or not BELIEFS <= wanted.keys() <= BELIEFS | CHANGES:
            raise app.APIError(400, "Expected method and target, and perhaps path, query, headers and body.")
        now = described(flow)
        if now["obstacle"] or any(wanted[name] != now[name] for name in BELIEFS):
            raise app.APIError(409, now["obstacle"] or "The flow is not what the client believes.")
        copy = flow.copy()
        change(copy.request, wanted)
        if wait := self.must_wait():
            self.set_status(429)
            self.set_header("Retry-After", str(wait))
            self.finish("Another replay is under way, or there were too many.")
            return
        self.view.add([copy])
        self.master.commands.call("replay.client", [copy])
        for _ in range(int(PATIENCE * 20)):
            if copy.response or copy.error:
                break
            await asyncio.sleep(0.05)
        self.write(outcome(copy))

    def must_wait(self) -> int:
        """Seconds until there may be another one; none where that is now."""
        if self.master.addons.get("clientplayback").count():
            return 1
        now = time.monotonic()
        if len(self.times) == MOST and self.times[0] + SPAN > now:
            return int(self.times[0] + SPAN - now) + 1
        self.times.append(now)
        return 0


def are_texts(of) -> bool:
    return isinstance(of, dict) and all(isinstance(text, str) for text in of.values())


def change(request: http.Request, wanted: dict) -> None:
    """Make the copy what was asked for; anything else is refused as a whole."""
    query, headers, body = wanted.get("query", {}), wanted.get("headers", {}), wanted.get("body")
    if not are_texts(query) or not are_texts(headers) or not isinstance(body, str | None):
        raise app.APIError(400, "Expected texts.")
    if not headers.keys() <= HEADERS or any(not re.fullmatch(r"[ -~]{0,1000}", value) for value in headers.values()):
        raise app.APIError(400, "That header cannot be changed.")
    if "path" in wanted:
        if not isinstance(wanted["path"], str) or not re.fullmatch(PATH, wanted["path"]):
            raise app.APIError(400, "Expected a path without a query.")
        _, mark, rest = request.path.partition("?")
        request.path = wanted["path"] + mark + rest
    for name, value in query.items():
        request.query[name] = value
    for name, value in headers.items():
        request.headers[name] = value
    if body is not None:
        request.text = body


class Casemate:
    def load(self, loader):
        if "web_password" not in ctx.options:
            loader.add_option("web_password", str, "", "The password that Casemate shows.")

    def running(self):
        application = getattr(ctx.master, "app", None)
        if application is None:
            raise exceptions.OptionsError("casemate.py is for mitmweb.")
        one = r"/casemate/flows/(?P<flow_id>[0-9a-f\-]+)"
        application.add_handlers(r".*", [(one, One), (one + "/replay", Replay)])


addons = [Casemate()]
