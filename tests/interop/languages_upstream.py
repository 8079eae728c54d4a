"""The two services that the plugins in other languages ask, as far as they ask them; documented at circl.lu and first.org.

    languages_upstream.py REQUESTS

Prints its origin, and writes a line to the file REQUESTS for each request that reaches it. Ends when standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Of the empty file, which NSRL knows.
KNOWN = {
    "/lookup/md5/d41d8cd98f00b204e9800998ecf8427e",
    "/lookup/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
}
FILE = {"FileName": "usr/share/doc/empty", "FileSize": "0", "hashlookup:trust": 75, "source": "NSRL", "db": "nsrl_modern_rds"}
SCORES = {
    "/data/v1/epss?cve=CVE-2021-44228%2CCVE-2024-0001": [
        {"cve": "CVE-2024-0001", "epss": "0.000430000", "percentile": "0.125810000", "date": "2026-01-01"},
        {"cve": "CVE-2021-44228", "epss": "0.943580000", "percentile": "0.999570000", "date": "2026-01-01"},
    ],
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with open(sys.argv[1], "a", encoding="utf-8") as requests:
            print(self.command, self.path, file=requests)
        if self.path in KNOWN:
            self.answer(200, FILE)
        elif self.path.startswith("/lookup/"):
            self.answer(404, {"message": "Non existing hash", "query": self.path.rsplit("/", 1)[-1]})
        elif self.path in SCORES:
            self.answer(200, {"status": "OK", "status-code": 200, "total": len(SCORES[self.path]), "data": SCORES[self.path]})
        elif self.path.startswith("/data/v1/epss?"):
            self.answer(429, {"status": "ERROR"})
        else:
            self.answer(400, {})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing is said of a request but in the file."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
