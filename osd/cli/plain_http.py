"""aiohttp, loaded without the certificates of the system.

Rule: it reads them all as it is loaded, which takes as long as a small command,
and no OSD speaks TLS. Only the program `osdlog` does without them: a program
that uses the client loads aiohttp itself, and may need them. kafka-python reads
its own when it connects.

What is not here: anything but loading it, before others do.
"""

import os

_VARIABLE = "SSL_CERT_FILE"

_before = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = os.devnull
try:
    import aiohttp  # noqa: F401 - only loaded here
finally:
    if _before is None:
        del os.environ[_VARIABLE]
    else:
        os.environ[_VARIABLE] = _before
