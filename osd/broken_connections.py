"""Broken connections: why an OSD gave no answer, or not all of it, in our words.

Rule: what the HTTP library or the system says of sockets is not handed on as
it stands; what we raised ourselves is.

What is not here: whether it is asked again (see `osd.client.retries`).
"""

import os

import aiohttp
import msgspec


def why_broken(error: BaseException) -> str:
    """A few words, without who it is."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host's name is not known here"
        case TimeoutError():
            return "it takes too long"
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case aiohttp.InvalidURL():
            return "nobody can be asked at such an address"
        case aiohttp.WSServerHandshakeError():
            return f"it answered {error.status}"
        case aiohttp.ClientResponseError() | aiohttp.WebSocketError() | msgspec.MsgspecError():
            return "what answers there does not speak as an OSD does"
        case aiohttp.ClientError() if type(error) is aiohttp.ClientError and str(error):
            return str(error)
        case _:
            return "the connection broke"
