"""A catalogue that cannot be read loses no record; a panic, or a file left, stops the node."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path

import fastavro
import msgspec
import pytest

from contracts.logs import IDENTITY
from eventlog import catalogue
from eventlog.codec import MARKER, encode
from eventlog.errors import LogUnavailable
from eventlog.ids import Boot, Incarnation, Offset, OsdId, Partition, RgId, Store, Topic
from eventlog.log import Entry, Record
from eventlog.memory import MemoryLog
from eventlog.rg_events import ObjectPut
from eventlog.schemas import directory, fingerprint_of, parse
from golden.sample_events import SAMPLES
from osd.blobs import BlobFiles
from osd.bodies import PIECE_BYTES, Gauge, TooLarge, receive
from osd.core.context import Settings
from osd.core.effects import Follow
from osd.core.inputs import Decoded, Input, Read
from osd.core.node import Node
from osd.memory_rows import MemoryRows
from osd.pump import Job, Loop, Pump
from osd.rows import Changes
from osd.shell import Shell

P0 = Partition(0)
PUT = SAMPLES["ObjectPut.v1"]


class Panic(BaseException):
    """As rocksdict says that its Rust code panicked: it is no `Exception`."""


class PanickingRows(MemoryRows):
    """Fails as a library does that met its own mistake."""

    def apply(self, changes: Changes) -> None:
        raise Panic("applying")

    def sync(self) -> None:
        raise Panic("syncing")


class HalfDeadLog(MemoryLog):
    """Records come, but the catalogue cannot be reached for some while."""

    refusals_left = 0

    def read(
        self, topic: Topic, partition: Partition, offset: Offset, max_records: int = 10_000
    ) -> list[Record]:
        if topic is Topic.SCHEMAS and self.refusals_left:
            self.refusals_left -= 1
            raise LogUnavailable("the log cannot be reached", "Wait.")
        return super().read(topic, partition, offset, max_records)


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


def _of_a_newer_program() -> tuple[Entry, Entry]:
    """A schema with one field more for the catalogue, and a record that is written with it."""
    newer = json.loads((directory() / "ObjectPut.v1.avsc").read_text())
    newer["fields"].append({"name": "colour", "type": "string", "default": "", "doc": "New."})
    text = json.dumps(newer).encode()
    avro = parse(text)
    value = BytesIO()
    value.write(MARKER + fingerprint_of(avro))
    fields = msgspec.to_builtins(PUT, builtin_types=(bytes,)) | {"colour": "red"}
    fastavro.schemaless_writer(value, avro, fields)
    schema = Entry(Topic.SCHEMAS, P0, fingerprint_of(avro), text)
    return schema, Entry(Topic.RG, P0, b"key", value.getvalue())


async def test_records_wait_in_the_pump_until_the_catalogue_can_be_read(tmp_path: Path) -> None:
    log = HalfDeadLog(IDENTITY)
    catalogue.publish(log)
    schema, newer = _of_a_newer_program()
    known = Entry(Topic.RG, P0, b"key", encode(PUT))
    log.append([schema, known, newer, known])
    log.refusals_left = 3
    taken: list[Decoded] = []
    failures: list[BaseException] = []

    def take(given: Input) -> None:
        assert isinstance(given, Read)
        taken.extend(one for one in given.records if isinstance(one, Decoded))

    loop = Loop(asyncio.get_running_loop(), take, lambda _: None, failures.append)
    pump = Pump(log, MemoryRows(), BlobFiles(tmp_path), loop, None)
    pump.start()
    pump.submit(Job(follows=[Follow(Topic.RG, P0, Offset(0))]))
    await _until(lambda: len(taken) >= 3)
    log.append([known])
    await _until(lambda: len(taken) >= 4)
    assert [one.record.offset for one in taken] == [0, 1, 2, 3]
    assert all(isinstance(one.event, ObjectPut) for one in taken)
    assert (failures, pump.stall, log.refusals_left) == ([], None, 0)
    assert await asyncio.to_thread(pump.close, 10)


async def test_a_panic_in_the_pump_is_heard(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    loop = Loop(asyncio.get_running_loop(), lambda _: None, lambda _: None, failures.append)
    pump = Pump(MemoryLog(IDENTITY), PanickingRows(), BlobFiles(tmp_path), loop, None)
    pump.start()
    pump.submit(Job(done=[asyncio.get_running_loop().create_future()]))
    await _until(lambda: bool(failures))
    assert isinstance(failures[0], Panic)
    assert await asyncio.to_thread(pump.close, 10)


async def test_a_panic_in_a_step_stops_the_node(tmp_path: Path) -> None:
    rows = PanickingRows()
    node = Node(Store(OsdId(0), Incarnation(1)), Boot(1), rows, Settings(), None)
    shell = Shell(node, rows, BlobFiles(tmp_path), MemoryLog(IDENTITY), Gauge(tmp_path), "a")
    shell.start("127.0.0.1:1")
    failure = shell.stopped.exception()
    assert str(failure) == (
        "the node failed by a mistake of its own: Panic: applying. "
        "Start it again, and report this with the log around it."
    )
    assert shell.ready.exception() is failure
    await shell.stop()


async def test_a_body_that_came_to_nothing_and_cannot_be_removed_stops_the_node(
    tmp_path: Path,
) -> None:
    """Before it could say that nothing of it is here; who sent it is told what was wrong first."""
    rows, blobs = MemoryRows(), BlobFiles(tmp_path)
    node = Node(Store(OsdId(0), Incarnation(1)), Boot(1), rows, Settings(), None)
    shell = Shell(node, rows, blobs, MemoryLog(IDENTITY), Gauge(tmp_path), "a")

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(PIECE_BYTES + 1)
        await _until(lambda: any((tmp_path / "tmp").iterdir()))
        (fresh,) = (tmp_path / "tmp").iterdir()
        fresh.unlink()
        fresh.mkdir()
        yield b"too much"

    with pytest.raises(TooLarge), shell.arriving(RgId(0), "a", None):
        await receive(chunks(), blobs, PIECE_BYTES + 1)
    assert "Is a directory" in str(shell.stopped.exception())
    assert node.context.arrivals.is_any(RgId(0))
    await shell.stop()
