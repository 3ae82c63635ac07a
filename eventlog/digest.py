"""The digest by which a reader recognises the last record it applied.

Rule: 8 bytes of BLAKE2b over the value alone, so that it survives a copy of
the log to another kind of log.
"""

import hashlib

from eventlog.rg_events import DIGEST_BYTES

NO_RECORD = bytes(DIGEST_BYTES)


def record_digest(value: bytes) -> bytes:
    """Digest of one record's value."""
    return hashlib.blake2b(value, digest_size=DIGEST_BYTES).digest()
