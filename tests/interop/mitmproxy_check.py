"""mitmproxy itself, with casemate.py, behind the plugin: `mitmproxy_check.py BIN MITMWEB`.

BIN holds the programs of `make build`. Requests go through mitmproxy to two web servers that count what reaches them; one of them is
granted. Everything is set up as a publisher and an operator would, in a folder that is gone afterwards.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from checks import Checks

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "mitmproxy"
PASSWORD = "interop-password-that-must-not-leak"
# What a browser would not want told. Every one is in what is recorded.
SECRETS = ["s3cr3t-bearer", "s3cr3t-cookie", "s3cr3t-query", "s3cr3t-form", "s3cr3t-answer", "s3cr3t-set"]


class Server(ThreadingHTTPServer):
    """A web server that remembers what reached it."""

    def __init__(self) -> None:
        self.hits: list[tuple[str, str, dict, bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.hits.append((self.command, self.path, headers, self.rfile.read(length)))
        body = json.dumps({"token": "s3cr3t-answer", "hits": len(self.server.hits)}).encode()
        self.send_response(200)
        for name, value in [("content-type", "application/json"), ("set-cookie", "sid=s3cr3t-set; Path=/"), ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on {port}")


class House:
    """An operator's folder with the plugin installed."""

    def __init__(self, bin: str, work: Path, web: int, granted: str) -> None:
        self.program, self.folder, self.work = f"{bin}/casemate", work / "operator", work
        self.folder.mkdir(mode=0o700)
        key = self.json("key", "new", str(work / "publisher.pem"), "--no-passphrase")
        package = self.json("pack", str(PLUGIN), "--out", str(work / "packages"))["component"]
        self.run("sign", package, "--key", str(work / "publisher.pem"))
        self.run("trust", "add", "casemate", "--key", str(work / "publisher.pem.pub"), "--fingerprint", key["fingerprint"], "--environment", "dev")
        self.password(PASSWORD)
        (self.folder / "casemate.toml").write_text(f"""
environment = "dev"

[plugins.mitmproxy]
upstream.mitmproxy = {{ origin = "http://127.0.0.1:{web}", allow_private = ["127.0.0.1/32"] }}
secret.web_password = {{ file = "password" }}
tools.replay_request = {{ enabled = true, dry_run = false, approval = "none" }}

[grants.interop]
principals = ["local"]
tools = ["mitmproxy_*"]
max_effect = "execute"
scope.target = ["{granted}"]
scope.method = ["GET", "POST"]
""")
        approval = self.json("verify", package)["approval"]
        self.run("install", package, "--yes", "--approve", approval)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, "--dir", str(self.folder), *arguments], capture_output=True, text=True, check=True)

    def json(self, *arguments: str) -> dict:
        return json.loads(self.run("--format", "json", *arguments).stdout)

    def password(self, text: str) -> None:
        file = self.folder / "password"
        file.touch(mode=0o600)
        file.write_text(text)

    def configured(self, old: str, new: str) -> None:
        file = self.folder / "casemate.toml"
        text = file.read_text()
        assert old in text, old
        file.write_text(text.replace(old, new))

    def call(self, tool: str, **arguments: object) -> tuple[int, str]:
        """How a call ended, by somebody who has read nothing before, and all that it said."""
        # Before the first call there is nobody to forget.
        subprocess.run([self.program, "--dir", str(self.folder), "sessions", "clear", "local"], capture_output=True)
        command = [self.program, "--dir", str(self.folder), "--format", "json", "call", f"mitmproxy_{tool}", json.dumps(arguments)]
        ran = subprocess.run(command, capture_output=True, text=True)
        return ran.returncode, ran.stdout + ran.stderr

    def answer(self, tool: str, **arguments: object) -> dict:
        status, said = self.call(tool, **arguments)
        return json.loads(said)["structured"] if status == 0 else {"failed": said}


class Web:
    """mitmweb's own API, asked without Casemate."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {PASSWORD}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def flows(self) -> list[dict]:
        return json.loads(self.ask("GET", "/flows")[1])


def browse(proxy: int, granted: Server, other: Server) -> None:
    """What mitmproxy is to record."""
    through = urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{proxy}"}))
    request = lambda *arguments, **named: through.open(urllib.request.Request(*arguments, **named)).read()
    credentials = {"Authorization": "Bearer s3cr3t-bearer", "Cookie": "sid=s3cr3t-cookie"}
    request(f"{granted.origin}/orders?api_key=s3cr3t-query&id=1", headers=credentials)
    request(f"{granted.origin}/login", data=b"user=bob&password=s3cr3t-form")
    request(f"{granted.origin}/upload", data=b"x", method="PUT")
    request(f"{other.origin}/elsewhere")
    # To where it may go, and for somebody else.
    with socket.create_connection(("127.0.0.1", proxy)) as raw:
        raw.sendall(f"GET {granted.origin}/two-faced HTTP/1.1\r\nHost: bank.example\r\nConnection: close\r\n\r\n".encode())
        while raw.recv(65536):
            pass


def check(checks: Checks, house: House, web: Web, granted: Server, other: Server) -> None:
    said = house.answer("get_requests")
    found = {request["url"].partition("?")[0].rpartition("/")[2]: request["flow_id"] for request in said.get("requests", [])}
    checks.equal("the history has every request", sorted(found), ["elsewhere", "login", "orders", "two-faced", "upload"])
    told = json.dumps(said) + "".join(house.call("get_request", flow_id=flow, include_bodies=True)[1] for flow in found.values())
    checks.equal("no credential of anybody is told", [secret for secret in SECRETS if secret in told], [])
    one = house.answer("get_request", flow_id=found["login"], include_bodies=True)
    checks.equal("a form is told without its password", (one.get("request_body") or {}).get("text"), "user=bob&password=‹redacted›")
    before, recorded = len(granted.hits), web.flows()

    done = house.answer("replay_request", flow_id=found["orders"])
    method, path, headers, _ = granted.hits[-1]
    checks.equal("a replay reaches the server once", len(granted.hits), before + 1)
    checks.equal("as it was recorded", (method, path, headers.get("authorization"), headers.get("cookie")),
                 ("GET", "/orders?api_key=s3cr3t-query&id=1", "Bearer s3cr3t-bearer", "sid=s3cr3t-cookie"))
    checks.equal("the answer is told", (done.get("status"), done.get("target")), (200, granted.origin))
    checks.that("and no credential in it", not any(secret in json.dumps(done) for secret in SECRETS), done)
    flows = web.flows()
    by_id = {flow["id"]: flow for flow in flows}
    checks.equal("what was recorded stays as it was", [by_id[flow["id"]] for flow in recorded], recorded)
    checks.equal("the replay is a copy", (len(flows), by_id[done["flow_id"]]["is_replay"]), (len(recorded) + 1, "request"))

    house.call("replay_request", flow_id=found["orders"], path="/orders/2", query=[{"name": "id", "value": "2"}], headers={"accept": "text/x"})
    _, path, headers, _ = granted.hits[-1]
    checks.equal("what was to be another is", (path, headers.get("accept")), ("/orders/2?api_key=s3cr3t-query&id=2", "text/x"))
    checks.equal("and the credentials are not", (headers.get("authorization"), headers.get("cookie")), ("Bearer s3cr3t-bearer", "sid=s3cr3t-cookie"))
    house.call("replay_request", flow_id=found["login"], body="user=eve&note=a longer text")
    method, path, headers, body = granted.hits[-1]
    checks.equal("a body is another", (method, path, body, headers.get("content-length")), ("POST", "/login", b"user=eve&note=a longer text", "27"))

    hits = (len(granted.hits), len(other.hits))
    for what, arguments, status, reason in [
        ("to a place that is not granted", {"flow_id": found["elsewhere"]}, 2, "established-out-of-scope"),
        ("that names another host", {"flow_id": found["two-faced"]}, 2, "established-out-of-scope"),
        ("by a method that is not granted", {"flow_id": found["upload"]}, 2, "established-out-of-scope"),
        ("with another host", {"flow_id": found["orders"], "host": "127.0.0.1"}, 2, "arguments-invalid"),
        ("with another cookie", {"flow_id": found["orders"], "headers": {"cookie": "a=b"}}, 2, "arguments-invalid"),
        ("with another key", {"flow_id": found["orders"], "query": [{"name": "api_key", "value": "x"}]}, 1, "invalid-arguments"),
        ("of what is not there", {"flow_id": "00000000-0000-4000-8000-000000000000"}, 1, "not-found"),
    ]:
        ended, said = house.call("replay_request", **arguments)
        checks.that(f"no replay {what}", ended == status and reason in said, (ended, said))
    house.configured("dry_run = false", "dry_run = true")
    ended, said = house.call("replay_request", flow_id=found["orders"], path="/planned")
    checks.that("a dry run shows the request", ended == 0 and "/planned" in said and PASSWORD not in said, said)
    house.configured("dry_run = true", "dry_run = false")
    house.password("another")
    ended, said = house.call("get_requests")
    checks.that("without the password there is no replay", "unauthorized" in house.call("replay_request", flow_id=found["orders"])[1], said)
    house.password(PASSWORD)

    believed = {"method": "GET", "target": granted.origin}
    replay = f"/casemate/flows/{found['orders']}/replay"
    for what, path, body, headers, status in [
        ("mitmweb's own replay needs a cookie, password or not", f"/flows/{found['orders']}/replay", {}, {}, 403),
        ("casemate.py needs the password", replay, believed, {"Authorization": "Bearer x"}, 403),
        ("and takes no cookie for it", replay, believed, {"Authorization": "", "Cookie": "_xsrf=a", "X-XSRFToken": "a"}, 403),
        ("it replays what its client believes is there", replay, {**believed, "target": other.origin}, {}, 409),
        ("and changes nothing else", replay, {**believed, "host": "127.0.0.1"}, {}, 400),
        ("no header that proves who somebody is", replay, {**believed, "headers": {"cookie": "x"}}, {}, 400),
        ("no header that begins another", replay, {**believed, "headers": {"accept": "a\r\nb: c"}}, {}, 400),
        ("no path that is a host", replay, {**believed, "path": "//bank.example/"}, {}, 400),
    ]:
        checks.equal(what, web.ask("POST", path, body, **headers)[0], status)
    checks.equal("nothing of this reached a server", (len(granted.hits), len(other.hits)), hits)

    # Three have been sent above.
    ended = [house.call("replay_request", flow_id=found["orders"])[0] for _ in range(7)]
    checks.equal("ten replays in a minute", ended, [0] * 7)
    _, said = house.call("replay_request", flow_id=found["orders"])
    checks.that("and not one more, whatever the grant says", "rate-limited" in said, said)
    checks.equal("eleven did not reach the server", (len(granted.hits), len(other.hits)), (hits[0] + 7, hits[1]))
    house.run("audit", "verify")
    kept = b"".join(file.read_bytes() for file in (house.folder / "state").rglob("*") if file.is_file())
    checks.that("the password is nowhere in the host's state", PASSWORD.encode() not in kept)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: mitmproxy_check.py BIN MITMWEB")
    bin, mitmweb = sys.argv[1:]
    checks = Checks()
    granted, other = Server(), Server()
    proxy, web = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="casemate-mitmproxy.") as folder:
        work = Path(folder)
        options = ["-s", str(PLUGIN / "casemate.py"), "--listen-host", "127.0.0.1", "-p", str(proxy), "--web-port", str(web)]
        for option in [f"web_password={PASSWORD}", "web_open_browser=false", f"confdir={work / 'mitmproxy'}"]:
            options += ["--set", option]
        with open(work / "mitmweb.log", "w") as log:
            running = subprocess.Popen([mitmweb, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            wait_for(web)
            wait_for(proxy)
            house = House(bin, work, web, granted.origin)
            browse(proxy, granted, other)
            check(checks, house, Web(web), granted, other)
        finally:
            running.terminate()
            running.wait()
            if checks.failed or not checks.passed:
                print((work / "mitmweb.log").read_text()[-4000:])
    checks.end()


if __name__ == "__main__":
    main()
