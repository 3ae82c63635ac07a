"""A real cluster on real files: a log, OSD processes, and plain HTTP to them."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import msgspec

from eventlog import catalogue
from eventlog.codec import Decoder, encode
from eventlog.ids import WEIGHT_ONE, Layout, Micros, Offset, OsdId, Partition, Topic
from eventlog.log import Entry, LogIdentity
from eventlog.map_events import ClusterCreated, MapChange, MapChanged, OsdAdded
from eventlog.open import create_log, open_log
from projections.cluster_map import EMPTY, ClusterMap
from projections.map_fold import fold

PATIENCE_S = 60.0
RGS = 8

Value = TypeVar("Value")


def until(condition: Callable[[], Value | None]) -> Value:
    """Ask again until the answer is true; fails when nobody would wait longer."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"in {PATIENCE_S:g} s it did not come true")


class Reply(NamedTuple):
    """What an OSD answered."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


class Cluster:
    """A log, in a directory unless another is named, and what tests do to its map."""

    def __init__(self, path: Path, rgs: int = RGS, url: str | None = None) -> None:
        self.path = path
        self.url = url or f"sqlite:{path / 'cluster.log'}"
        identity = LogIdentity(str(uuid.uuid4()), rgs, "unlimited", "none")
        with create_log(self.url, identity) as log:
            catalogue.publish(log)
        created = ClusterCreated(
            cluster=identity.cluster,
            rg_count=rgs,
            partitions=rgs,
            retention=identity.retention,
            cleanup=identity.cleanup,
            replicas=1,
            min_replicas=1,
            rules=1,
        )
        self.change(created)

    def add(self, *osds: int) -> None:
        """Let these OSDs into the map."""
        self.change(
            *(
                OsdAdded(osd=OsdId(osd), weight=WEIGHT_ONE, host=f"host-{osd}", rack="rack")
                for osd in osds
            )
        )

    def change(self, *changes: MapChange) -> None:
        """An operator's change, for the layout as it is."""
        layout = self.map().layout
        event = MapChanged(
            time=Micros(0), author="test", reason="test", layout=layout, changes=changes
        )
        with open_log(self.url) as log:
            log.append([Entry(Topic.MAP, Partition(0), b"map", encode(event))])

    def map(self) -> ClusterMap:
        """As the log has it now."""
        found = EMPTY
        with open_log(self.url) as log:
            decode = Decoder(log).decode
            for record in log.read(Topic.MAP, Partition(0), Offset(0)):
                event = decode(record)
                assert isinstance(event, MapChanged)
                after = fold(found, event)
                found = after if isinstance(after, ClusterMap) else found
        assert found.layout >= Layout(0)
        return found

    def osd(self, number: int, **config: Any) -> "OsdProcess":
        """An OSD's process, not started; its directory is named by its number."""
        config = {"data": str(self.path / f"osd-{number}"), "log": self.url, **config}
        return OsdProcess({"osd": number, **config})


class OsdProcess:
    """One process; `with` starts it and makes sure that nothing of it stays."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.address = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def spawn(self, pass_fds: Iterable[int] = ()) -> None:
        """Start, and wait for nothing."""
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "node.osd_main", msgspec.json.encode(self.config).decode()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=root,
            env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
            pass_fds=tuple(pass_fds),
        )

    def start(self, pass_fds: Iterable[int] = ()) -> Self:
        """Start, and wait until it serves."""
        self.spawn(pass_fds)
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError(f"it did not start: {self.ended()}")
        self.address = json.loads(line)[1]
        return self

    def refusal(self) -> str:
        """Start what must not start; returns the error it ends with."""
        self.spawn()
        status, said = self.ended()
        assert status == 3, said
        return said

    def ended(self) -> tuple[int, str]:
        """Wait for its end; status and what it said."""
        assert self._process is not None
        process, self._process = self._process, None
        try:
            _, errors = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, errors.decode()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, and wait for nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """A clean stop."""
        self.send(signal.SIGTERM)
        status, said = self.ended()
        assert status == 0, said

    def kill(self) -> None:
        """As a power failure does, but for the operating system's caches."""
        assert self._process is not None
        self._process.kill()
        self.ended()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection(self.address, timeout=60)) as http_:
            http_.request(method, path, body, dict(headers or {}))
            response = http_.getresponse()
            return Reply(response.status, response.headers, response.read())

    def put(self, name: str, body: bytes, **headers: str) -> Reply:
        """Store an object; underlines in header names are hyphens."""
        return self.request("PUT", _path(name), body, _headers(headers))

    def get(self, name: str, **headers: str) -> Reply:
        """Read an object."""
        return self.request("GET", _path(name), None, _headers(headers))

    def delete(self, name: str, **headers: str) -> Reply:
        """Remove an object."""
        return self.request("DELETE", _path(name), None, _headers(headers))

    def report(self, path: str) -> Any:
        """A JSON report."""
        reply = self.request("GET", path)
        assert reply.status == 200, reply
        return reply.json

    def facts(self, name: str) -> dict[int, str]:
        """The status of each OSD's copy; nothing where the object is forgotten."""
        reply = self.request("GET", f"{_path(name)}/facts")
        if reply.status == 404:
            return {}
        return {fact["osd"]: fact["status"] for fact in reply.json["facts"]}

    def memory(self, which: str) -> int:
        """Bytes: `VmHWM` is the most it ever had, `VmRSS` what it has."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(which):
                return int(line.split()[1]) * 1024
        raise AssertionError(which)

    def files(self) -> list[Path]:
        """All files of large bodies, finished or not."""
        return [path for path in Path(self.config["data"], "blobs").rglob("*") if path.is_file()]


def _path(name: str) -> str:
    return f"/objects/{quote(name, safe='')}"


def _headers(said: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in said.items()}
