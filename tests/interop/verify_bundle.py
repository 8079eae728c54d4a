"""Check package signatures with tools nobody here wrote: PyPI `securesystemslib` and `openssl pkeyutl`.

    verify_bundle.py verify PUBLIC.pem COMPONENT BUNDLE          exits with 0 only if both accept it
    verify_bundle.py make PRIVATE.pem STATEMENT BUNDLE SIGNER    SIGNER is `securesystemslib` or `openssl`
"""

import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"


def fingerprint(key) -> str:
    """The key hint of a bundle: `SHA256:` and the unpadded base64 of the SHA-256 of the raw key."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return "SHA256:" + base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")


def openssl_verifies(key: Path, message: bytes, signature: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        message_file, signature_file = Path(folder, "message"), Path(folder, "signature")
        message_file.write_bytes(message)
        signature_file.write_bytes(signature)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", message_file, "-sigfile", signature_file]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def openssl_signs(key: Path, message: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        message_file, signature_file = Path(folder, "message"), Path(folder, "signature")
        message_file.write_bytes(message)
        command = ["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", message_file, "-out", signature_file]
        subprocess.run(command, capture_output=True, check=True)
        return signature_file.read_bytes()


def verify(key_file: Path, component: Path, bundle_file: Path) -> str | None:
    """What is wrong with a package, or nothing."""
    key = load_pem_public_key(key_file.read_bytes())
    bundle = json.loads(bundle_file.read_text())
    if bundle["mediaType"] != MEDIA_TYPE:
        return "the media type is not a Sigstore bundle's"
    if bundle["verificationMaterial"]["publicKey"]["hint"] != fingerprint(key):
        return "the hint is not the key's fingerprint"
    envelope = Envelope.from_dict(bundle["dsseEnvelope"])
    if envelope.payload_type != PAYLOAD_TYPE:
        return "the payload is not an in-toto statement"
    try:
        envelope.verify([SSlibKey.from_crypto(key, fingerprint(key))], 1)
    except VerificationError as error:
        return f"securesystemslib: {error}"
    (signature,) = envelope.signatures.values()
    if not openssl_verifies(key_file, envelope.pae(), bytes.fromhex(signature.signature)):
        return "openssl: the signature does not verify"
    (subject,) = json.loads(envelope.payload)["subject"]
    if subject["digest"]["sha256"] != hashlib.sha256(component.read_bytes()).hexdigest():
        return "the subject is not the component"
    return None


def make(key_file: Path, statement: Path, signer: str) -> dict:
    """A bundle over the statement's bytes."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    hint = fingerprint(key.public_key())
    envelope = Envelope(statement.read_bytes(), PAYLOAD_TYPE, {})
    if signer == "securesystemslib":
        envelope.sign(CryptoSigner(key, SSlibKey.from_crypto(key.public_key(), hint)))
        dsse = envelope.to_dict()
    else:
        signature = base64.b64encode(openssl_signs(key_file, envelope.pae())).decode()
        dsse = {**envelope.to_dict(), "signatures": [{"sig": signature}]}
    return {"mediaType": MEDIA_TYPE, "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []}, "dsseEnvelope": dsse}


def main() -> int:
    match sys.argv[1:]:
        case ["verify", key, component, bundle]:
            fault = verify(Path(key), Path(component), Path(bundle))
            print(fault or "securesystemslib and openssl accept it")
            return 1 if fault else 0
        case ["make", key, statement, bundle, ("securesystemslib" | "openssl") as signer]:
            Path(bundle).write_text(json.dumps(make(Path(key), Path(statement), signer), indent=2))
            return 0
    print(__doc__, file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
