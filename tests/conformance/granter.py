"""The operator of the house, for whom a plugin may ask over HTTP: granter.py FOLDER

POST /tools and POST /prompts grant the plugin `extra`, or take that back: the configuration in FOLDER is written anew and the server, whose
process id stands in FOLDER/serve.pid, is told to take it up. Nothing else is changed, whatever is asked.
"""

import http.server
import os
import pathlib
import signal
import sys

folder = pathlib.Path(sys.argv[1])
GRANT = """
[grants.extra]
principals = ["token:conformance"]
tools = ["extra_*"]
max_effect = "read"
"""


class Operator(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path not in ("/tools", "/prompts"):
            return self.send_error(404)
        config = folder / "casemate.toml"
        text = config.read_text()
        config.with_suffix(".new").write_text(text.replace(GRANT, "") if GRANT in text else text + GRANT)
        config.with_suffix(".new").replace(config)
        os.kill(int((folder / "serve.pid").read_text()), signal.SIGHUP)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Operator)
print(f"operator at http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
