"""Names, sizes, epochs and bytes that cannot be: a clear no, and nothing is changed by it."""

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.programs import osdlog
from eventlog.errors import BadName
from faults.conftest import LIMIT, Served
from node.osds import Cluster
from osd.client import Client
from osd.errors import Refused

LONE_SURROGATE = "\udced\udca0\udc80"
"""As Python shows arguments and file names whose bytes are no UTF-8."""

NAMES = {
    "": "the object name is empty",
    "é" * 513: "the object name is 1,026 bytes of UTF-8",
    "a\0b": "the object name has a NUL character",
    "\ud800": "the object name is not valid Unicode (a lone surrogate)",
}

USES: dict[str, Callable[[Client, str], object]] = {
    "put": lambda client, name: client.put(name, b"x"),
    "get": lambda client, name: client.get(name),
    "stat": lambda client, name: client.stat(name),
    "delete": lambda client, name: client.delete(name),
    "list": lambda client, name: list(client.list(name or "\0")),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_client_says_which_names_cannot_be(
    served: Served, use: Callable[[Client, str], object]
) -> None:
    """For a list the name is what all names begin with, and may be empty."""
    for name, what in NAMES.items():
        if use is USES["list"] and not name:
            continue
        with pytest.raises(BadName) as caught:
            use(served.client, name)
        assert (caught.value.what, caught.value.hint) == (
            what,
            "Object names are 1 to 1,024 bytes of UTF-8 without NUL.",
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", LONE_SURROGATE, "-"),
        ("get", ""),
        ("ls", LONE_SURROGATE),
        ("export", LONE_SURROGATE, "copy"),
        ("explain", "--name", LONE_SURROGATE),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_says_which_names_cannot_be(
    served: Served, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = osdlog(*arguments, log=served.cluster.url, folder=tmp_path)
    assert (done.code, done.out) == (2, "")
    what = NAMES[""] if "" in arguments else NAMES["\ud800"]
    hint = "Object names are 1 to 1,024 bytes of UTF-8 without NUL."
    assert done.err == f"error: {what}\nhint: {hint}\n"


def test_a_file_whose_name_is_no_unicode_stops_no_other(served: Served, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"1")
    (tmp_path / f"bad{LONE_SURROGATE}").write_bytes(b"2")
    done = osdlog("import", "--json", tmp_path, "odd", log=served.cluster.url)
    assert done.code == 3
    said = json.loads(done.out)
    assert (said["done"], said["failed"]) == (
        1,
        {r"odd/bad\udced\udca0\udc80": "the object name is not valid Unicode (a lone surrogate)"},
    )
    assert served.client.get("odd/good") == b"1"


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_client_says_how_large_a_body_may_be(served: Served, is_declared: bool) -> None:
    body = bytes(LIMIT + 1)
    before = set(served.osd.files())
    with pytest.raises(Refused) as caught:
        served.client.put("there", body if is_declared else iter([body[:1000], body[1000:]]))
    assert caught.value.what == "the body is over the limit of 1,048,576 bytes"
    assert caught.value.hint == "Store it in parts; no object of this node has more bytes."
    assert set(served.osd.files()) == before


def test_a_command_says_how_large_a_body_may_be(served: Served) -> None:
    done = osdlog("put", "there", "-", log=served.cluster.url, stdin=bytes(LIMIT + 1))
    assert done.code == 1
    assert done.err.startswith("error: the body is over the limit of 1,048,576 bytes\nhint: Store")


@pytest.mark.parametrize("path", ["/list", "/objects/there/facts"])
def test_an_epoch_that_no_map_has(served: Served, path: str) -> None:
    """The sender reads another log; a node waits as long as it is asked to, then says so."""
    headers = {"Osdlog-Epoch": "999999", "Osdlog-Deadline-Ms": "50"}
    reply = served.osd.request("GET", path, headers=headers)
    what = f"the map is read to epoch {served.cluster.map().epoch} here, not to the sender's 999999"
    why = "the log is slow, or the two read different logs"
    assert (reply.status, reply.error) == (503, f"{what}: {why}")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"hello\r\n\r\n", "the request cannot be read: "),
        (b"\x16\x03\x01\x02\x00\x01", "the request cannot be read: "),
        (b"GET /objects/\xff HTTP/1.1\r\n\r\n", "the request cannot be read: "),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", "the request cannot be read: "),
        (
            b"PUT /objects/there HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            "the request cannot be read: Invalid character in Content-Length",
        ),
        (
            b"PUT /objects/there HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
            "the request cannot be read: Duplicate Content-Length",
        ),
    ],
    ids=["words", "tls", "raw bytes", "long header", "negative", "two lengths"],
)
def test_what_is_no_http(served: Served, sent: bytes, error: str) -> None:
    head, _, body = answer(served.osd.address, sent).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    said = json.loads(body)
    assert said["error"].startswith(error)
    assert said["hint"] == "Correct the request; docs/http.md says what it may have."


def test_what_is_no_http_is_not_the_nodes_news(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        for sent in (b"hello\r\n\r\n", b"\0" * 100, b"PUT /objects/a HTTP/1.1\r\nA\r\n\r\n"):
            assert b" 400 " in answer(osd.address, sent)
        assert osd.put("a", b"x").status == 201
        osd.send(signal.SIGTERM)
        assert osd.ended() == (0, "")


def answer(address: str, sent: bytes) -> bytes:
    """All that comes back before the connection is closed."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while piece := connection.recv(64 * 1024):
            received += piece
    return received
