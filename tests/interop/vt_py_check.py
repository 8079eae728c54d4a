"""VirusTotal's own Python client, vt-py, against the VirusTotal fake: `vt_py_check.py http://127.0.0.1:PORT KEY`.

vt-py knows nothing of Casemate. What it can read, the fake gets right.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
from unittest import mock

import vt

from checks import Checks

EICAR = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"
ERRORS = [
    "BadRequestError",
    "InvalidArgumentError",
    "NotAvailableYet",
    "UnselectiveContentQueryError",
    "UnsupportedContentQueryError",
    "AuthenticationRequiredError",
    "UserNotActiveError",
    "WrongCredentialsError",
    "ForbiddenError",
    "NotFoundError",
    "AlreadyExistsError",
    "FailedDependencyError",
    "QuotaExceededError",
    "TooManyRequestsError",
]
# vt-py reads no code out of a 5xx answer: it says ServerError and keeps the body as the message.
SERVER_ERRORS = ["TransientError", "DeadlineExceededError"]

real_sleep = asyncio.sleep


async def short_sleep(_seconds: float) -> None:
    """vt-py waits 20 seconds between polls; the fake takes a step at each, so there is nothing to wait for."""
    await real_sleep(0.01)


def raised(call) -> vt.APIError | None:
    """The APIError that a call raises; None if it raises none."""
    try:
        call()
    except vt.APIError as error:
        return error
    return None


def error_code(call) -> str | None:
    """The code of the APIError that a call raises; None if it raises none."""
    error = raised(call)
    return error and error.code


def objects(client: vt.Client, checks: Checks) -> None:
    for name, path, kind, identifier in [
        ("file by SHA-256", f"/files/{EICAR}", "file", EICAR),
        ("file by MD5", "/files/44d88612fea8a8f36de82e1278abb02f", "file", EICAR),
        ("file by SHA-1", "/files/3395856ce81f2b7382dee72602f798b642f14140", "file", EICAR),
        ("url", "/urls/" + vt.url_id("http://malware.wicar.org/data/eicar.com"), "url", None),
        ("ip address", "/ip_addresses/185.220.101.1", "ip_address", "185.220.101.1"),
        ("domain", "/domains/google.com", "domain", "google.com"),
    ]:
        found = client.get_object(path)
        checks.equal(f"{name}: type", found.type, kind)
        checks.equal(f"{name}: id", found.id, identifier or found.id)
        stats, results = found.last_analysis_stats, found.last_analysis_results
        checks.equal(f"{name}: statistics add up", sum(stats.values()), len(results))
        counted = sum(1 for result in results.values() if result["category"] == "malicious")
        checks.equal(f"{name}: malicious verdicts", counted, stats["malicious"])
        checks.that(f"{name}: dates are dates", found.last_analysis_date.year >= 2000, found.last_analysis_date)
    whole = client.get_object("/domains/google.com", params={"relationships": "subdomains"})
    checks.that("relationships inline", len(whole.relationships["subdomains"]["data"]) == 10, whole.relationships)


def collections(client: vt.Client, checks: Checks) -> None:
    ids = [item.id for item in client.iterator("/domains/google.com/subdomains", batch_size=20)]
    checks.equal("iterator: all pages", (len(ids), len(set(ids))), (45, 45))
    first = client.iterator("/domains/google.com/subdomains", batch_size=10, limit=15)
    head = [item.id for item in first]
    rest = [item.id for item in client.iterator("/domains/google.com/subdomains", batch_size=10, cursor=first.cursor)]
    checks.that("iterator: a cursor goes on where it stopped", head == ids[:15] and set(ids[20:]) <= set(rest), (head, rest))
    hosts = [item.host_name for item in client.iterator("/ip_addresses/8.8.8.8/resolutions", limit=3)]
    checks.equal("iterator: resolutions", hosts[0], "dns.google")
    found = [item.id for item in client.iterator("/search", params={"query": "44d88612fea8a8f36de82e1278abb02f"})]
    checks.equal("search by hash", found, [EICAR])
    empty = list(client.iterator("/search", params={"query": "nothing.example.org"}))
    checks.equal("search without a match", empty, [])


def submissions(client: vt.Client, checks: Checks) -> None:
    content = b"casemate interop check\n"
    digest = hashlib.sha256(content).hexdigest()
    checks.equal("a new file is unknown", error_code(lambda: client.get_object(f"/files/{digest}")), "NotFoundError")
    with mock.patch.object(asyncio, "sleep", short_sleep):
        analysis = client.scan_file(io.BytesIO(content), wait_for_completion=True)
        checks.equal("scan_file: completed", analysis.status, "completed")
        checks.that("scan_file: results", len(analysis.results) >= 70, len(analysis.results))
        checks.equal("the file is known now", client.get_object(f"/files/{digest}").size, len(content))
        analysis = client.scan_url("http://new.example.org/", wait_for_completion=True)
        checks.equal("scan_url: completed", analysis.status, "completed")
    with_post = client.post("/files", data={"file": io.BytesIO(content)}).json()
    checks.equal("post /files: an analysis", with_post["data"]["type"], "analysis")
    queued = client.get_object("/analyses/{}", with_post["data"]["id"])
    checks.equal("a fresh analysis is queued", queued.status, "queued")


def errors(client: vt.Client, host: str, checks: Checks) -> None:
    for code in ERRORS:
        path = f"/domains/{code.lower()}.errors.example.org"
        checks.equal(f"error {code}", error_code(lambda: client.get_object(path)), code)
    for code in SERVER_ERRORS:
        path = f"/domains/{code.lower()}.errors.example.org"
        error = raised(lambda: client.get_object(path))
        checks.that(f"error {code}", error and error.code == "ServerError" and f'"code":"{code}"' in error.message, error)
    with vt.Client("not-the-key", host=host) as stranger:
        checks.equal("a wrong key", error_code(lambda: stranger.get_object(f"/files/{EICAR}")), "WrongCredentialsError")
    checks.equal("an unknown file", error_code(lambda: client.get_object("/files/" + "0" * 64)), "NotFoundError")
    checks.equal("an invalid address", error_code(lambda: client.get_object("/ip_addresses/8.8.8")), "InvalidArgumentError")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: vt_py_check.py http://127.0.0.1:PORT KEY")
    host, key = sys.argv[1:]
    checks = Checks()
    with vt.Client(key, host=host) as client:
        objects(client, checks)
        collections(client, checks)
        submissions(client, checks)
        errors(client, host, checks)
    checks.end()


if __name__ == "__main__":
    main()
