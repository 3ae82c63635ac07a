"""Plan words: how a plan of a map change looks, for people and as JSON.

Rule: made from the plan alone, so the same plan always looks the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from osd.cli.output import bytes_words, count, duration_words

if TYPE_CHECKING:
    from eventlog.ids import OsdId
    from osd.client.planning import Planned
    from projections.map_plan import Disk, ImportLimits, MapPlan, OsdPlan, RgPlan, Transfer
    from projections.rg_stats import Amount

OSD_HEADS = ("osd", "in", "bytes in", "out", "bytes out", "bytes then", "full", "full then", "time")
OSD_NUMBERS = OSD_HEADS[1:]
RG_HEADS = ("rg", "objects", "bytes", "placed", "then")
RG_NUMBERS = RG_HEADS[:3]
SLOWNESS = 1_000
"""Milliseconds in a second."""


def headline(planned: "Planned") -> str:
    """The plan in one sentence."""
    plan = planned.plan
    moving = len(plan.moves.incoming.by_rg())
    said = (
        f"for layout {planned.layout}: {moving} of {plan.before.rg_count} RGs move,"
        f" {_amount(plan.moved)}; the minimum is {bytes_words(plan.minimum)}"
    )
    if plan.under_way.objects:
        said += f" ({_amount(plan.under_way)} of the present layout are still to be moved)"
    return said


def osd_rows(plan: "MapPlan") -> Iterator[Sequence[Any]]:
    """A row for each OSD, under `OSD_HEADS`."""
    for osd in plan.osds:
        comes, goes = osd.incoming, osd.outgoing
        yield (
            f"osd.{osd.osd}",
            *(f"{comes.objects:,}", bytes_words(comes.size)),
            *(f"{goes.objects:,}", bytes_words(goes.size)),
            bytes_words(osd.after.size),
            *_fills(osd),
            _time(osd.ms) if comes.objects else "-",
        )


def rg_rows(plan: "MapPlan") -> Iterator[Sequence[Any]]:
    """A row for each RG that moves, under `RG_HEADS`."""
    for rg in plan.rgs():
        amount = (f"{rg.amount.objects:,}", bytes_words(rg.amount.size))
        yield (f"{rg.rg:x}", *amount, _osds(rg.placed), _osds(rg.after))


def basis(planned: "Planned", log_option: str = "") -> list[str]:
    """What the plan rests on, and how long it takes; `log_option` ends commands to be typed."""
    silent, by_log = planned.silent, planned.rgs_by_log
    count_rgs = planned.plan.before.rg_count
    if by_log == count_rgs:
        said = "sizes are as the log says; no primary answered"
    elif by_log:
        said = f"sizes are as the primaries say, of {count(by_log, 'RG')} as the log says"
    else:
        said = "sizes are as the primaries say"
    if silent:
        said += f"; {_osds(silent)} did not answer"
    lines = [said, _rate(planned.plan.rate, planned.plan.ms)]
    return [*lines, *_limits(planned.limits, log_option)]


def _limits(limits: "Mapping[OsdId, ImportLimits]", log_option: str) -> Iterator[str]:
    slowed: dict[int, list[OsdId]] = {}
    for osd, (is_paused, rate) in limits.items():
        if is_paused:
            end = f"`osdlog limits osd.{osd} --pulls 4{log_option}` ends that"
            yield f"osd.{osd} imports nothing in the background: {end}"
        elif rate:
            slowed.setdefault(rate, []).append(osd)
    for rate, osds in slowed.items():
        does = "imports" if len(osds) == 1 else "import"
        yield f"{_osds(osds)} {does} at most {bytes_words(rate)}/s in the background"


def plan_data(planned: "Planned", command: str) -> dict[str, Any]:
    """The plan as JSON."""
    plan = planned.plan
    return {
        "layout": planned.layout,
        "epoch": plan.before.epoch,
        "changes": planned.changes,
        "moved": _amount_data(plan.moved),
        "under_way": _amount_data(plan.under_way),
        "minimum_bytes": plan.minimum,
        "ms": plan.ms,
        "rate": plan.rate,
        "osds": [_osd_data(osd) for osd in plan.osds],
        "rgs": [_rg_data(rg) for rg in plan.rgs()],
        "concerns": planned.concerns,
        "silent": planned.silent,
        "paused": planned.paused,
        "rgs_by_log": planned.rgs_by_log,
        "apply": command,
    }


def _amount(amount: "Amount") -> str:
    return f"{count(amount.objects, 'object')}, {bytes_words(amount.size)}"


def _fills(osd: "OsdPlan") -> tuple[str, str]:
    if osd.disk is None or not osd.disk.total:
        return "-", "-"
    return _fill(osd.disk, 0), _fill(osd.disk, osd.growth)


def _fill(disk: "Disk", growth: int) -> str:
    return f"{100 * (disk.total - disk.free + growth) / disk.total:.1f}%"


def _osds(osds: Sequence[int]) -> str:
    return ", ".join(f"osd.{osd}" for osd in osds) or "nowhere"


def _time(ms: int | None) -> str:
    return "unknown" if ms is None else duration_words(ms / SLOWNESS)


def _rate(rate: "Transfer | None", ms: int | None) -> str:
    if rate is None:
        return "time unknown: no OSD has copied anything since it started"
    seconds = rate.busy_ms / SLOWNESS
    speed = f"{bytes_words(round(rate.size / seconds))}/s, {rate.objects / seconds:,.0f} objects/s"
    so_far = f"{count(rate.objects, 'object')} that OSDs have copied since they started"
    time = "time unknown" if ms is None else _time(ms)
    return f"{time}, at {speed} for each OSD: measured on {so_far}"


def _amount_data(amount: "Amount") -> dict[str, int]:
    return {"objects": amount.objects, "bytes": amount.size}


def _osd_data(osd: "OsdPlan") -> dict[str, Any]:
    return {
        "osd": osd.osd,
        "held": _amount_data(osd.held),
        "in": _amount_data(osd.incoming),
        "out": _amount_data(osd.outgoing),
        "after": _amount_data(osd.after),
        "disk": osd.disk,
        "ms": osd.ms,
    }


def _rg_data(rg: "RgPlan") -> dict[str, Any]:
    said = {"rg": rg.rg, "placed": rg.placed, "after": rg.after}
    return said | _amount_data(rg.amount)
