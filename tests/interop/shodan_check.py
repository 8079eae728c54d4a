"""Shodan's own Python client against the Shodan fake: `shodan_check.py http://127.0.0.1:PORT KEY`.

The client knows nothing of Casemate. What it can read, the fake gets right.
"""

from __future__ import annotations

import os
import sys

from checks import Checks


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: shodan_check.py http://127.0.0.1:PORT KEY")
    # The client reads this when it is made.
    os.environ["SHODAN_API_URL"], key = sys.argv[1:]
    import shodan

    def error(call) -> str | None:
        try:
            call()
        except shodan.APIError as raised:
            return raised.value
        return None

    checks = Checks()
    api = shodan.Shodan(key)
    host = api.host("8.8.8.8")
    checks.equal("host: address and names", (host["ip_str"], host["hostnames"]), ("8.8.8.8", ["dns.google"]))
    checks.equal("host: a banner for each port", sorted(banner["port"] for banner in host["data"]), sorted(host["ports"]))
    checks.that("host: minified, without banners", "data" not in api.host("8.8.8.8", minify=True))

    found = api.search("product:nginx")
    checks.equal("search: matches", [match["ip_str"] for match in found["matches"]], ["185.220.101.1"])
    counted = api.count("https", facets=["country", ("port", 5)])
    checks.equal("count: no matches", (counted["total"], counted["matches"]), (1, []))
    checks.equal("count: a text or a number", [counted["facets"][name][0]["value"] for name in ("country", "port")], ["US", 443])
    checks.equal("a search has cost a credit", api.info()["query_credits"], 99)

    checks.equal("an unknown host", error(lambda: api.host("9.9.9.9")), "No information available for that IP.")
    checks.equal("an empty search", error(lambda: api.search("")), "Empty search query")
    checks.that("a wrong key", error(lambda: shodan.Shodan("wrong").info()))
    checks.end()


if __name__ == "__main__":
    main()
