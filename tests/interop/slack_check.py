"""Slack's own Python client, slack-sdk, against the Slack fake: `slack_check.py http://127.0.0.1:PORT TOKEN`.

slack-sdk knows nothing of Casemate. What it can read, the fake gets right.
"""

from __future__ import annotations

import sys

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from checks import Checks

SOC = "C024BE91L"


def error(call) -> str | None:
    """The code of the SlackApiError that a call raises; None if it raises none."""
    try:
        call()
    except SlackApiError as raised:
        return raised.response["error"]
    return None


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: slack_check.py http://127.0.0.1:PORT TOKEN")
    origin, token = sys.argv[1:]
    checks = Checks()
    client = WebClient(token, base_url=f"{origin}/api/")
    checks.that("auth.test", client.auth_test()["ok"])

    pages = [page["channels"] for page in client.conversations_list(limit=1, exclude_archived=True)]
    checks.equal("lists go on by cursor to their end", [channel["name"] for page in pages for channel in page], ["soc", "random"])
    both = client.conversations_list(types="public_channel,private_channel")["channels"]
    checks.equal("private and archived channels are there for who asks", len(both), 4)

    history = client.conversations_history(channel=SOC, limit=2)
    checks.equal("history: newest first", [message["ts"] for message in history["messages"]], ["1730800029.000200", "1730800028.000200"])
    checks.equal("history: there is more", history["has_more"], True)
    older = client.conversations_history(channel=SOC, latest="1730800002.000200")["messages"]
    checks.equal("history: before", len(older), 2)

    sent = client.chat_postMessage(channel=SOC, text="a &lt; b", unfurl_links=False, link_names=False)
    checks.equal("a message is where it was sent", (sent["channel"], sent["message"]["text"]), (SOC, "a &lt; b"))
    checks.equal("and mentions nobody", sent["message"]["notified"], False)
    checks.equal("markup mentions", client.chat_postMessage(channel="#soc", text="<!channel>")["message"]["notified"], True)

    for what, call, code in [
        ("a channel without the bot", lambda: client.conversations_history(channel="C061EG9T2"), "not_in_channel"),
        ("an unknown channel", lambda: client.chat_postMessage(channel="C0000000000", text="x"), "channel_not_found"),
        ("an archived channel", lambda: client.chat_postMessage(channel="C0ARCHIVED1", text="x"), "is_archived"),
        ("a strange cursor", lambda: client.conversations_list(cursor="?"), "invalid_cursor"),
        ("a wrong token", lambda: WebClient("xoxb-wrong", base_url=f"{origin}/api/").auth_test(), "invalid_auth"),
    ]:
        checks.equal(what, error(call), code)
    checks.end()


if __name__ == "__main__":
    main()
