"""Finds indicators of compromise in text, defanged or not.

Pure: text in, a list out. `python -m doctest indicators.py` runs the examples below.
"""

import ipaddress
import re

# A report of some twenty pages. The patterns below take time linear in the text.
MAX_TEXT = 64 * 1024
# More than a model can use; the answer says that there were more.
MAX_FOUND = 500

KINDS = ["url", "email", "ip", "domain", "sha256", "sha1", "md5", "cve"]

ARGUMENTS = {
    "type": "object",
    "properties": {"text": {"type": "string", "description": "The text to search.", "minLength": 1, "maxLength": MAX_TEXT}},
    "required": ["text"],
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "properties": {
        "indicators": {
            "type": "array",
            "maxItems": MAX_FOUND,
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"enum": KINDS},
                    "value": {"type": "string"},
                    "defanged": {"type": "string"},
                },
                "required": ["kind", "value", "defanged"],
                "additionalProperties": False,
            },
        },
        "complete": {"type": "boolean", "description": "Whether these are all."},
    },
    "required": ["indicators", "complete"],
    "additionalProperties": False,
}

LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
DOMAIN = rf"(?:{LABEL}\.){{1,10}}[a-z]{{2,24}}"
PATTERNS = {
    "url": re.compile(r"\bhttps?://[^\s\"'<>)\]}]{1,2000}", re.I),
    "email": re.compile(rf"\b[a-z0-9._%+-]{{1,64}}@{DOMAIN}\b", re.I),
    "ip": re.compile(r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9a-f:]{2,39})(?![\w:]|\.[0-9])", re.I),
    "domain": re.compile(rf"(?<![\w@.-]){DOMAIN}(?![\w@-])", re.I),
    "sha256": re.compile(r"\b[0-9a-f]{64}\b", re.I),
    "sha1": re.compile(r"\b[0-9a-f]{40}\b", re.I),
    "md5": re.compile(r"\b[0-9a-f]{32}\b", re.I),
    "cve": re.compile(r"\bCVE-[0-9]{4}-[0-9]{4,19}\b", re.I),
}
# Names of files, which look like domains and are not.
FILE_ENDINGS = {"dll", "doc", "docx", "exe", "html", "js", "json", "log", "pdf", "php", "png", "ps1", "py", "txt", "xml"}


def refang(text: str) -> str:
    """Undo the usual ways of making an indicator harmless.

    >>> refang("hxxps[://]evil[.]example(.)com, bad[@]evil[dot]example")
    'https://evil.example.com, bad@evil.example'
    """
    text = re.sub(r"\bh(?:xx|\*\*|XX)p(s?)(?=\[?:)", r"http\1", text, flags=re.I)
    text = re.sub(r"[\[({]\s?(?:\.|dot)\s?[\])}]", ".", text, flags=re.I)
    text = re.sub(r"[\[({]\s?(?:@|at)\s?[\])}]", "@", text, flags=re.I)
    return re.sub(r"\[(:|://|:/|/)\]", r"\1", text)


def defang(kind: str, value: str) -> str:
    """Make an indicator harmless to click on.

    >>> defang("url", "https://evil.example/a.b")
    'hxxps://evil[.]example/a[.]b'
    >>> defang("md5", "d41d8cd98f00b204e9800998ecf8427e")
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    if kind in ("md5", "sha1", "sha256", "cve"):
        return value
    value = re.sub(r"^http", "hxxp", value)
    return value.replace(".", "[.]").replace("@", "[@]") if kind != "ip" or "." in value else value.replace(":", "[:]")


def canonical(kind: str, found: str) -> str | None:
    """One spelling for each indicator; nothing where it only looks like one.

    >>> canonical("ip", "256.1.1.1"), canonical("domain", "setup.exe"), canonical("cve", "cve-2024-3094")
    (None, None, 'CVE-2024-3094')
    """
    if kind == "ip":
        try:
            return str(ipaddress.ip_address(found))
        except ValueError:
            return None
    if kind == "domain":
        found = found.lower()
        return None if found.rsplit(".", 1)[-1] in FILE_ENDINGS else found
    if kind == "url":
        return found.rstrip(".,;:!?")
    return found.upper() if kind == "cve" else found.lower()


def search(text: str) -> list[tuple[str, str]]:
    """Every indicator, by kind and in the order of the text.

    >>> search("See hxxp://evil[.]example/x, and 192.0.2.7. Mail: bad@evil.example")
    [('url', 'http://evil.example/x'), ('email', 'bad@evil.example'), ('ip', '192.0.2.7')]
    """
    text = refang(text)
    found: dict[tuple[str, str], None] = {}
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            value = canonical(kind, match.group())
            if value:
                found[kind, value] = None
        if kind in ("url", "email"):
            # What is inside a URL or an e-mail address is not an indicator of its own.
            text = pattern.sub(" ", text)
    return list(found)


def find(arguments: dict) -> tuple[str, dict]:
    """The tool `find`."""
    found = search(arguments["text"])
    listed = [{"kind": kind, "value": value, "defanged": defang(kind, value)} for kind, value in found[:MAX_FOUND]]
    lines = [f"{one['kind']}: {one['defanged']}" for one in listed]
    if len(found) > MAX_FOUND:
        lines.append(f"and {len(found) - MAX_FOUND} more")
    return "\n".join(lines) or "no indicators", {"indicators": listed, "complete": len(found) <= MAX_FOUND}
