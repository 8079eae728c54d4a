"""Pull a package with PyPI `oras`: oras_check.py HOST/REPOSITORY:TAG USER COMPONENT, the password in ORAS_PASSWORD.

Exits with 0 only if what arrives is the component, byte for byte.
"""

import os
import sys
import tempfile
from pathlib import Path

import oras.client


def main(target: str, user: str, component: str) -> int:
    host = target.split("/", 1)[0]
    client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
    client.auth.set_basic_auth(user, os.environ["ORAS_PASSWORD"])
    with tempfile.TemporaryDirectory() as folder:
        files = client.pull(target=target, outdir=folder)
        print(f"pulled {files}")
        if len(files) != 1:
            return 1
        return 0 if Path(files[0]).read_bytes() == Path(component).read_bytes() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
