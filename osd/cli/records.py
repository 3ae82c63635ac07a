"""Commands about the log itself: log cat, log tail, log skip, log copy.

Rule: a record is shown as it was said, with its position, one a line; that it
is shown does not mean that it was accepted. One that cannot be decoded is
shown too, whosever it is, for it stops all RGs of its partition, and makes the
command fail at its end; so do records that are gone, after what is left.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options, usage
from osd.cli.copying import copy

if TYPE_CHECKING:
    from eventlog.codec import Decoder
    from eventlog.ids import Offset, RgId
    from eventlog.log import Log, Record, TopicPartition

FAILED = 3
POLL_MS = 500
READ_RECORDS = 1_000

Rg = Annotated[
    str | None, typer.Option("--rg", metavar="RG", help="Only of this RG.", show_default=False)
]


def cat(rg: Rg = None, json: options.Json = False, log: options.Log = None) -> None:
    """Print every record of the log, oldest first."""
    from eventlog.open import open_log
    from osd.config import log_url

    with open_log(log_url(log)) as opened:
        wanted = _wanted(opened, rg)
        places, reader = _places(opened, wanted), _Reader(opened)
        each = map(reader.records, places)
        merged = heapq.merge(*each, key=lambda record: (record.timestamp, record.position))
        printer = _printer(opened, wanted, json=json)
        _print(merged, printer)
        reader.require_beginnings(places)
        if printer.failures:
            raise typer.Exit(FAILED)


def tail(
    last: Annotated[
        int,
        typer.Option(
            "--last",
            "-n",
            metavar="N",
            min=0,
            help="Begin with so many; with --rg, with what its partition's last N have of it.",
        ),
    ] = 10,
    rg: Rg = None,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Print the last records, and every new one as it comes; Ctrl-C ends it.

    An export has its last records, and never a new one.
    """
    from eventlog.open import open_log
    from osd.config import log_url

    with open_log(log_url(log)) as opened:
        wanted = _wanted(opened, rg)
        printer = _printer(opened, wanted, json=json)
        _follow(opened, _places(opened, wanted), last, printer)


def skip(
    position: Annotated[str, typer.Argument(metavar="POSITION", help="As in rg/31@4.")],
    reason: options.Reason = "",
    log: options.Log = None,
) -> None:
    """Let everybody pass over one record that cannot be decoded."""
    from eventlog.ids import parse_position
    from eventlog.open import open_log
    from osd.cli.output import note
    from osd.cli.running import with_client
    from osd.cli.skipping import passing_over, skipped
    from osd.client.async_client import user
    from osd.config import log_url

    wanted, author = parse_position(position), user() or "unknown"
    with open_log(log_url(log)) as opened:  # a client could not tell of one of the map
        found = skipped(opened, wanted, author, reason)
    with_client(log, passing_over(found))
    note(f"the record at {wanted} is passed over from now on; OSDs that it stopped may start")


class _Reader:
    """Reads partitions from the first record that is left."""

    def __init__(self, log: "Log") -> None:
        self._log = log
        self._is_cut = False

    def records(self, place: "TopicPartition", start: int = 0) -> "Iterator[Record]":
        """From there on; those that are gone are passed over."""
        from eventlog.ids import Offset

        offset = Offset(start)
        while records := self._read(place, offset):
            yield from records
            offset = Offset(records[-1].offset + 1)

    def require_beginnings(self, places: "list[TopicPartition]") -> None:
        """Raises `LogReplaced` where some of what was read was gone."""
        from osd.client.history_cut import require_beginnings

        if self._is_cut:
            require_beginnings(self._log, self._log.end_offsets(places), is_left_shown=True)

    def _read(self, place: "TopicPartition", offset: "Offset") -> "Sequence[Record]":
        from eventlog.errors import LogError, LogUnavailable
        from osd.client.history_cut import beginning

        try:
            return self._log.read(*place, offset, READ_RECORDS)
        except LogUnavailable:
            raise
        except LogError:
            left = beginning(self._log, place)
            if left <= offset:
                raise
        self._is_cut = True
        return self._log.read(*place, left, READ_RECORDS)


class _Printer:
    """Prints the records that are wanted, and counts those that cannot be decoded."""

    def __init__(self, decoder: "Decoder", wanted: "RgId | None", *, json: bool) -> None:
        self._decoder = decoder
        self._wanted = wanted
        self._json = json
        self.failures = 0

    def show(self, record: "Record") -> None:
        from eventlog.errors import OsdlogError
        from eventlog.telling import tell

        try:
            event = self._decoder.decode(record)
        except OsdlogError as error:
            self.failures += 1
            self._say(record, "unreadable", error.what, {"error": error.what})
            return
        if self._wanted is None or getattr(event, "rg", None) == self._wanted:
            self._say(record, event.schema, tell(event), event)

    def _say(self, record: "Record", kind: str, text: str, content: Any) -> None:
        from osd.cli.output import as_data, say, say_json

        if self._json:
            at = {"position": str(record.position), "timestamp": record.timestamp, "event": kind}
            say_json(at | as_data(content))
        else:
            when = datetime.fromtimestamp(record.timestamp / 1_000_000, UTC)
            time = when.isoformat(" ", "microseconds")[:26]
            say(f"{record.position!s:<12}  {time}Z  {kind:<15}  {text}")


def _printer(log: "Log", wanted: "RgId | None", *, json: bool) -> _Printer:
    from eventlog.codec import Decoder

    return _Printer(Decoder(log), wanted, json=json)


def _print(records: "Iterable[Record]", printer: _Printer) -> None:
    from osd.cli.output import count, note

    for record in records:
        printer.show(record)
    if printer.failures:
        note(f"error: {count(printer.failures, 'record')} cannot be decoded")
        note("hint: Shown as unreadable; find out who wrote it.")


def _follow(log: "Log", places: "list[TopicPartition]", last: int, printer: _Printer) -> None:
    from eventlog.state_file import StateFile
    from osd.cli.output import flush, note

    ends, reader = log.end_offsets(places), _Reader(log)
    recent: list[Record] = []
    for place in places:
        start = max(0, ends[place] - last)
        recent += [r for r in reader.records(place, start) if r.offset < ends[place]]
    recent.sort(key=lambda record: (record.timestamp, record.position))
    for record in recent[len(recent) - min(last, len(recent)) :]:
        printer.show(record)
    flush()
    if isinstance(log, StateFile):
        note("that was its end: an export never has more")
        return
    follower = log.tail()
    try:
        for topic, partition in places:
            follower.follow(topic, partition, ends[topic, partition])
        while True:
            for record in follower.poll(POLL_MS):
                printer.show(record)
            flush()
    finally:
        follower.close()


def _wanted(log: "Log", rg: str | None) -> "RgId | None":
    from eventlog.ids import parse_rg
    from osd.client.known import known_rg
    from osd.client.map_reader import MapReader

    return None if rg is None else known_rg(MapReader(log).refresh(), parse_rg(rg))


def _places(log: "Log", wanted: "RgId | None") -> "list[TopicPartition]":
    from eventlog.ids import Partition, Topic, partition_of

    count = log.identity.partitions
    if wanted is not None:
        return [(Topic.RG, partition_of(wanted, count))]
    rg_places = [(Topic.RG, Partition(number)) for number in range(count)]
    return [(Topic.MAP, Partition(0)), *rg_places]


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    family = typer.Typer(cls=usage.Group, no_args_is_help=True, help="The log's records.")
    family.command()(cat)
    family.command()(tail)
    family.command()(skip)
    family.command()(copy)
    app.add_typer(family, name="log")
