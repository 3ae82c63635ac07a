"""A client that says it will send a small body, and sends none."""

from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from osd.http import uploads


async def test_a_small_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SILENCE_SECONDS", 0.05)
    silent = StreamReader(Mock(spec=BaseProtocol), 2**16)
    request = make_mocked_request("PUT", "/objects/a", {"Content-Length": "5"}, payload=silent)
    with pytest.raises(TimeoutError):
        await uploads.whole(request)
