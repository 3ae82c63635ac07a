"""The command replay: the cluster, or one OSD, as it was at any moment, from the log alone.

Rule: nothing live is asked or touched, and nothing is written: stopped, it
leaves nothing behind, and says so. What is shown belongs to the one moment
that the first line names.
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from osd.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eventlog.ids import OsdId, RgId
    from eventlog.log import Log
    from osd.client.moments import Moment
    from projections.bulk.fold import BulkRg
    from projections.overview import Overview, RgAtStore, RgOverview

Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="MOMENT",
        help="epoch:N, a time (UTC) or a position as in rg/31@4; else the log's end.",
        show_default=False,
    ),
]
Diff = Annotated[
    str | None,
    typer.Option(
        "--diff",
        metavar="MOMENT",
        help="Another moment: show what became of the one in the other.",
        show_default=False,
    ),
]
OnlyOsd = Annotated[
    str | None, typer.Option("--osd", metavar="N", help="As at this OSD.", show_default=False)
]
OnlyRg = Annotated[
    str | None, typer.Option("--rg", metavar="RG", help="Only of this RG.", show_default=False)
]

_RG_HEADS = (
    *("rg", "state", "primary", "version", "objects", "bytes", "tombstones", "copies", "strays"),
)
STORE_HEADS = ("store", "condition", "rgs", "held", "doomed", "lost")


class Past(NamedTuple):
    """What was folded of one moment."""

    moment: "Moment"
    rgs: "dict[RgId, BulkRg]"
    only: "RgId | None"
    """The one RG that was asked for."""

    def overview(self) -> "Overview":
        """In numbers."""
        from projections.overview import overview

        states = {rg: folded.state for rg, folded in self.rgs.items()}
        return overview(self.moment.map, states, self.only)


def replay(
    osd: OnlyOsd = None,
    rg: OnlyRg = None,
    until: Until = None,
    diff: Diff = None,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Show the cluster, or one OSD, as it was at any moment, from the log alone."""
    from eventlog.ids import parse_osd
    from osd.cli.replay_diff import show_difference

    node = None if osd is None else parse_osd(osd)
    with _leaving_nothing():
        past, *others = _pasts(log, rg, until, diff)
        if others:
            show_difference(past, others[0], node, json=json)
        elif node is not None:
            _show_osd(past, node, json=json)
        else:
            _show_cluster(past, json=json)


@contextmanager
def _leaving_nothing() -> "Iterator[None]":
    """Whoever stops it is told that there is nothing to clear away."""
    from osd.cli.endings import heeding_signals
    from osd.cli.output import note

    try:
        with heeding_signals():
            yield
    except (KeyboardInterrupt, SystemExit):
        note("stopped; nothing was changed, and nothing is left behind")
        raise


def _pasts(url: str | None, rg: str | None, until: str | None, diff: str | None) -> list[Past]:
    """The one that is shown, or the two that are compared."""
    from eventlog.ids import parse_rg
    from eventlog.open import open_log
    from osd.client.known import known_rg
    from osd.config import log_url

    with open_log(log_url(url)) as log:
        moments = _moments(log, until, diff)
        only = None if rg is None else known_rg(moments[-1].map, parse_rg(rg))
        return [_fold(log, moment, only) for moment in moments]


def _moments(log: "Log", until: str | None, diff: str | None) -> "list[Moment]":
    import time

    from eventlog.ids import Micros
    from osd.client.moments import moment_of

    texts = [until] if diff is None else [diff, until]
    now = Micros(time.time_ns() // 1_000)
    return [moment_of(log, text, now) for text in texts]


def _fold(log: "Log", moment: "Moment", only: "RgId | None") -> Past:
    from osd.cli.progress import rated_counter
    from osd.client.map_reader import MapReader
    from osd.client.past import fold_past

    skipped = MapReader(log).refresh().skipped
    wanted = None if only is None else [only]
    with rated_counter(f"replay as of {moment.words}", "events") as progress:
        return Past(moment, fold_past(log, moment, skipped, wanted, progress), only)


def require_osd(past: Past, osd: "OsdId") -> None:
    """`NotThere` where the map of that moment does not have it."""
    from eventlog.ids import osd_name
    from osd.client.errors import NotThere

    if osd not in past.moment.map.osds:
        raise NotThere(
            f"{osd_name(osd)} is not in the map as of {past.moment.words}",
            "`osdlog map log` shows since when it is, and until when.",
        )


def head_words(moment: "Moment") -> str:
    """`as of now: epoch 5, layout 3`."""
    now = moment.map
    return f"as of {moment.words}: epoch {now.epoch}, layout {now.layout}"


def head_json(moment: "Moment") -> dict[str, Any]:
    """The same for programs."""
    now = moment.map
    return {"as_of": moment.words, "epoch": now.epoch, "layout": now.layout, "rgs": now.rg_count}


def _show_osd(past: Past, osd: "OsdId", *, json: bool) -> None:
    from osd.cli.output import say, say_json, table
    from projections.overview import at_osd

    require_osd(past, osd)
    states = {rg: found.state for rg, found in past.rgs.items()}
    rows = at_osd(past.moment.map, states, osd)
    if json:
        say_json(head_json(past.moment) | {"osd": osd, "rg": plain(rows)})
        return
    say(f"osd.{osd} {head_words(past.moment)}")
    heads = ("rg", "store", "state", "held", "doomed", "lost", "lacking", "statement")
    table(heads, map(_osd_row, rows), numbers=("rg", *heads[3:7]))


def plain(value: Any) -> Any:
    """As JSON has it, stores in words."""
    from eventlog.ids import Store
    from osd.cli.output import as_data

    match value:
        case Store():
            return str(value)
        case tuple() if hasattr(value, "_asdict"):
            return plain(value._asdict())
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return as_data(value)


def _osd_row(row: "RgAtStore") -> tuple[Any, ...]:
    spoken = f"{row.boot}.{row.n}" if row.boot else "-"
    numbers = (row.held, row.doomed, row.lost, row.lacking)
    return (f"{row.rg:x}", row.store, _state_words(row.states), *numbers, spoken)


def _show_cluster(past: Past, *, json: bool) -> None:
    from osd.cli.output import count, say, say_json, table

    found = past.overview()
    if json:
        say_json(_cluster_json(past, found))
        return
    say(head_words(past.moment))
    table(_RG_HEADS, map(_rg_row, found.rgs), numbers=("rg", *_RG_HEADS[3:]))
    table(STORE_HEADS, found.stores, numbers=STORE_HEADS[2:])
    if past.only is None:
        silent = past.moment.map.rg_count - len(found.rgs)
        say(_total_words(found) + (f"; {count(silent, 'RG')} without any event" if silent else ""))


def _cluster_json(past: Past, found: "Overview") -> dict[str, Any]:
    rgs = [
        plain(row)
        | {"next_offset": past.rgs[row.rg].next_offset, "digest": past.rgs[row.rg].digest()}
        for row in found.rgs
    ]
    return head_json(past.moment) | {"rg": rgs, "stores": plain(found.stores)}


def _rg_row(row: "RgOverview") -> tuple[Any, ...]:
    primary = f"osd.{row.primary.osd}" if row.primary else "-"
    numbers = (row.version, f"{row.objects:,}", f"{row.bytes:,}", row.tombstones, row.copies)
    return (f"{row.rg:x}", _state_words(row.states), primary, *numbers, row.strays)


def _state_words(states: "Sequence[str]") -> str:
    return " ".join(states) or "unavailable"


def _total_words(found: "Overview") -> str:
    from osd.cli.output import bytes_words, count

    objects, size = (sum(row.objects for row in found.rgs), sum(row.bytes for row in found.rgs))
    strays = sum(row.strays for row in found.rgs)
    return f"{count(objects, 'object')}, {bytes_words(size)}, {count(strays, 'stray')}"


def add_to(app: typer.Typer) -> None:
    """Give the program this command."""
    app.command()(replay)
