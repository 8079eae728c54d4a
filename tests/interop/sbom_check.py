"""What `casemate sbom` prints and `casemate pack` embeds, read by others: cyclonedx-python-lib, its schema, packageurl, and zlib.

    sbom_check.py SBOM.json COMPONENT.wasm Cargo.lock
"""

from __future__ import annotations

import json
import sys
import tomllib
import zlib
from pathlib import Path

from checks import Checks
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

SECTION = b"\x07.dep-v0"


def embedded(component: bytes) -> list[dict]:
    """The packages of cargo-auditable's section: found by its name, as PARSING.md there allows, and nothing of the house's code."""
    at = component.rindex(SECTION) + len(SECTION)
    return json.loads(zlib.decompressobj().decompress(component[at:]))["packages"]


def main(sbom: Path, component: Path, lock: Path) -> None:
    checks = Checks()
    text = sbom.read_text()
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    checks.equal("the published CycloneDX 1.6 schema takes it", errors, None)
    document = json.loads(text)
    broken = {**document, "components": [{"name": "without a type"}]}
    checks.that("and would not take anything", JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(broken)))

    bom = Bom.from_json(document)
    checks.that("every reference leads somewhere", bom.validate())
    packages = embedded(component.read_bytes())
    listed = sorted((package["name"], package["version"]) for package in packages if not package.get("root"))
    checks.equal("it names what is embedded", sorted((one.name, one.version) for one in bom.components), listed)
    known = {(package["name"], package["version"]) for package in tomllib.loads(lock.read_text())["package"]}
    checks.equal("every crate is in Cargo.lock", [one for one in listed if one not in known], [])
    checks.that("there are crates", len(listed) > 10, len(listed))

    for one in document["components"]:
        if "purl" in one:
            purl = PackageURL.from_string(one["purl"])
            if (purl.type, purl.name, purl.version) != ("cargo", one["name"], one["version"]):
                checks.equal("a package URL names its crate", str(purl), one)
    published = [package for package in packages if package["source"] == "crates.io"]
    checks.equal("every published crate has a package URL", sum("purl" in one for one in document["components"]), len(published))
    roots = [package for package in packages if package.get("root")]
    checks.equal("there is one root", len(roots), 1)
    checks.end()


main(*map(Path, sys.argv[1:]))
