"""How the cluster's status looks: health in one line, then what is not as it should be.

Rule: health comes first, in one line. What moves, who is behind in the log and
the worst RGs are shown only where there are any. A watched status is redrawn
in place on a terminal, and printed again and again where there is none.
"""

import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from osd.cli.output import bytes_words, console, count, draw, drawn, flush, say, say_json

if TYPE_CHECKING:
    from osd.client.answers import OsdStatus
    from osd.client.cluster_status import ClusterStatus, Moving

HEADS = ("osd", "state", "epoch", "rgs", "objects", "bytes", "copies", "strays", "disk", "note")
NUMBERS = HEADS[2:9]
SHOWN_LAG = 100
"""Records; what was appended a moment ago is nobody's lag. JSON has all."""


class Screen:
    """Where statuses are shown."""

    def __init__(self, heading: str, *, is_watched: bool, json: bool) -> None:
        self._heading = heading
        self._json = json
        self._is_repeated = is_watched and not json
        is_live = self._is_repeated and sys.stdout.isatty()
        self._live = Live(console=console(), auto_refresh=False) if is_live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: "ClusterStatus") -> None:
        """Show it, in place of the last one where that can be."""
        if self._json:
            say_json(as_json(status, self._heading))
            return
        lines = [*([self._heading] if self._heading else []), *words(status)]
        osds = drawn(HEADS, map(_osd_row, status.osds), NUMBERS)
        if self._live is not None:
            self._live.update(Group(*map(Text, lines), osds), refresh=True)
            return
        for line in lines:
            say(line)
        flush()
        draw(osds)
        if self._is_repeated:
            say("")
            flush()


def words(status: "ClusterStatus") -> list[str]:
    """The lines above the table of OSDs."""
    clean = status.states.get("clean", 0)
    health = "healthy" if status.is_healthy else "not healthy"
    answering = f"{status.answering} of {len(status.osds)} OSDs answer"
    lines = [
        f"{health}: {answering}, {clean} of {status.rg_count} RGs clean",
        "RGs: " + ", ".join(f"{number} {state}" for state, number in status.states.items()),
    ]
    if status.moving.objects or status.moving.to_erase:
        lines.append(_moving(status.moving))
    behind = [f"{name} by {n:,} records" for name, n in status.lag.items() if n >= SHOWN_LAG]
    if behind:
        lines.append(f"behind the log: {', '.join(behind)}")
    if status.worst:
        lines += ["worst:", *(f"  {worst.sentence}" for worst in status.worst)]
    return lines


def as_json(status: "ClusterStatus", heading: str) -> dict[str, Any]:
    """The same for programs."""
    return {
        "healthy": status.is_healthy,
        "heading": heading,
        "rgs": dict(status.states),
        "moving": status.moving,
        "lag": dict(status.lag),
        "worst": [worst._asdict() | {"reason": worst.reason.value} for worst in status.worst],
        "osds": [
            {"osd": osd.osd.osd, "in_map": osd.osd, "said": osd.said, "why": osd.why}
            for osd in status.osds
        ],
    }


def _moving(moving: "Moving") -> str:
    said = f"moving: {count(moving.objects, 'object')} to import"
    if moving.to_erase:
        said += f", {count(moving.to_erase, 'copy', 'copies')} to erase"
    if moving.objects_per_s is None or moving.bytes_per_s is None:
        return said
    said += f"; {moving.objects_per_s:,.1f} objects/s, {bytes_words(int(moving.bytes_per_s))}/s"
    return said if moving.eta_s is None else f"{said}, about {moving.eta_s:,.0f} s to go"


def _osd_row(osd: "OsdStatus") -> tuple[Any, ...]:
    name = f"osd.{osd.osd.osd}"
    by_map = "up" if osd.osd.is_up else "down"
    if osd.said is None:
        return (name, by_map, *["-"] * 7, osd.why or "")
    said = osd.said
    numbers = (said["epoch"], said["rgs"], f"{said['objects']:,}", f"{said['bytes']:,}")
    by_operator = "leaving" if osd.osd.is_leaving else "" if osd.osd.is_in else "out"
    notes = (_stall_words(said["log"]["stalled"]) or by_operator, _disk_words(said), _left(said))
    note = ", ".join(filter(None, notes))
    copies = (f"{said['copies']:,}", f"{said['strays']:,}", _fill(said["disk"]))
    return (name, by_map, *numbers, *copies, note)


def _fill(disk: dict[str, Any]) -> str:
    """`37% of 50.0 GB`, of the file system that the OSD is on."""
    used = disk["total"] - disk["free"]
    percent = 100 * used // disk["total"] if disk["total"] else 0
    return f"{percent}% of {bytes_words(disk['total'])}"


def _disk_words(said: dict[str, Any]) -> str:
    disk = said["disk"]
    if not disk["is_nearly_full"]:
        return ""
    stops = "" if disk["takes_imports"] else ", takes no imports"
    stops = stops if disk["takes_puts"] else ", takes deletes only"
    return f"disk nearly full: {disk['free']:,} bytes left{stops}"


def _left(said: dict[str, Any]) -> str:
    missing = said["missing"]
    return f"still imports {count(missing['objects'], 'object')}" if missing["objects"] else ""


def _stall_words(stalled: dict[str, Any] | None) -> str:
    if stalled is None:
        return ""
    since = datetime.fromtimestamp(stalled["since"], UTC).isoformat(timespec="seconds")
    return f"stalled since {since} at {stalled['position']}: {stalled['why']}"
