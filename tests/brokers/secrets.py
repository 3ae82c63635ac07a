"""What a broker and its clients need to trust each other, made for one test run."""

from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

USER = "tester"
PASSWORD = "a-pass/word&with=signs"


class Secrets(NamedTuple):
    """The broker's key and certificate, and the authority that its clients are to trust."""

    broker_pem: bytes
    authority_pem: bytes

    def write_authority(self, path: Path) -> Path:
        """The file that a client names as its authority."""
        path.write_bytes(self.authority_pem)
        return path


def make_secrets() -> Secrets:
    """A new authority, and a broker's certificate of it for this machine's own names."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    # Java reads private keys only as PKCS 8.
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    return Secrets(key + chain, authority.cert_pem.bytes())
