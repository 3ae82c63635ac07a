"""What `osdlog replay --diff` prints: what became of one moment in another.

Rule: only what differs is shown, each value as `before -> after`, counts as
what came or went.
"""

from typing import TYPE_CHECKING, Any

from osd.cli.replay import STORE_HEADS, Past, head_json, head_words, plain, require_osd

if TYPE_CHECKING:
    from eventlog.ids import OsdId, RgId, Store
    from projections.differences import ObjectDifference, RgDifference, StoreDifference
    from projections.overview import RgAtStore

_COUNTS = ("created", "overwritten", "deleted", "moved")
_RG_HEADS = ("rg", "state", "primary", "operations", *_COUNTS, "bytes", "copies", "strays")
_OBJECT_HEADS = ("object", "became", "version", "holders")


def show_difference(before: Past, after: Past, osd: "OsdId | None", *, json: bool) -> None:
    """Print it, of the cluster, of one OSD, or of one RG with its objects."""
    from osd.cli.output import say, say_json

    if osd is not None:
        require_osd(after, osd)
    found = _Difference(before, after, osd)
    if json:
        said = {"before": head_json(before.moment), "after": head_json(after.moment)}
        say_json(said | found.as_json())
        return
    say(f"before, {head_words(before.moment)}")
    say(f"after, {head_words(after.moment)}")
    if not found.show():
        say("nothing differs")


class _Difference:
    def __init__(self, before: Past, after: Past, osd: "OsdId | None") -> None:
        from projections.differences import rg_differences, store_differences

        self._before, self._after, self._osd = before, after, osd
        ends = before.overview(), after.overview()
        self._rgs = rg_differences(*ends)
        self._stores = store_differences(*ends)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"rgs": [self._rg_json(row) for row in self._rgs]}
        if self._after.only is not None:
            found["objects"] = plain(self._objects(self._after.only))
        if self._osd is not None:
            return {"osd": self._osd, "rgs": plain(self._at_osd())}
        return found | {"stores": plain(self._stores)}

    def show(self) -> bool:
        """Whether there was anything to show."""
        from osd.cli.output import table

        if self._osd is not None:
            return self._show_at_osd()
        if self._rgs:
            table(_RG_HEADS, map(self._rg_row, self._rgs), numbers=("rg", *_RG_HEADS[3:]))
        if self._stores:
            table(STORE_HEADS, map(_store_row, self._stores), numbers=STORE_HEADS[2:])
        if self._rgs and self._after.only is not None:
            table(_OBJECT_HEADS, map(_object_row, self._objects(self._after.only)))
        return bool(self._rgs or self._stores)

    def _show_at_osd(self) -> bool:
        from osd.cli.output import table

        rows = self._at_osd()
        heads = ("rg", "store", "state", "held", "doomed", "lost", "lacking")
        table(heads, map(_at_store_row, rows), numbers=("rg", *heads[3:]))
        return bool(rows)

    def _at_osd(self) -> "list[tuple[RgAtStore | None, RgAtStore | None]]":
        from projections.overview import at_osd

        assert self._osd is not None
        ends = []
        for past in (self._before, self._after):
            states = {rg: folded.state for rg, folded in past.rgs.items()}
            rows = at_osd(past.moment.map, states, self._osd)
            ends.append({(row.rg, row.store): row for row in rows})
        old, new = ends
        keys = sorted(old.keys() | new.keys())
        pairs = [(old.get(key), new.get(key)) for key in keys]
        return [(was, now) for was, now in pairs if was != now]

    def _objects(self, rg: "RgId") -> "list[ObjectDifference]":
        from projections.differences import object_differences

        ends = [past.rgs[rg].names() if rg in past.rgs else () for past in self._ends]
        return list(object_differences(*ends))

    @property
    def _ends(self) -> tuple[Past, Past]:
        return self._before, self._after

    def _rg_json(self, row: "RgDifference") -> dict[str, Any]:
        from projections.differences import count_became

        counts = count_became(self._objects(row.rg))
        said = {str(became): count for became, count in counts.items()}
        return {**plain(row), "objects": said}

    def _rg_row(self, row: "RgDifference") -> tuple[Any, ...]:
        from projections.differences import Became, count_became

        was, now = row.before, row.after
        counts = count_became(self._objects(row.rg))
        numbers = [counts[Became(word)] for word in _COUNTS]
        states = [" ".join(end.states) or "unavailable" if end else "-" for end in (was, now)]
        primaries = [_primary(end.primary if end else None) for end in (was, now)]
        moved = [_moved(was, now, name) for name in ("version", "bytes", "copies", "strays")]
        return (f"{row.rg:x}", _arrow(*states), _arrow(*primaries), moved[0], *numbers, *moved[1:])


def _primary(store: "Store | None") -> str:
    return f"osd.{store.osd}" if store is not None else "-"


def _arrow(was: Any, now: Any) -> str:
    return str(now) if was == now else f"{was} -> {now}"


def _moved(was: Any, now: Any, name: str) -> str:
    """How much more a number is now."""
    old, new = (getattr(end, name) if end is not None else 0 for end in (was, now))
    return f"{new - old:+,}" if new != old else "0"


def _store_row(row: "StoreDifference") -> tuple[Any, ...]:
    was, now = row.before, row.after
    words = [end.condition if end else "-" for end in (was, now)]
    moved = [_moved(was, now, name) for name in ("rgs", "held", "doomed", "lost")]
    return (row.store, _arrow(*words), *moved)


def _at_store_row(pair: "tuple[RgAtStore | None, RgAtStore | None]") -> tuple[Any, ...]:
    was, now = pair
    one = now or was
    assert one is not None
    words = [" ".join(end.states) if end else "-" for end in pair]
    moved = [_moved(was, now, name) for name in ("held", "doomed", "lost", "lacking")]
    return (f"{one.rg:x}", one.store, _arrow(*words), *moved)


def _object_row(row: "ObjectDifference") -> tuple[Any, ...]:
    versions = ["-" if version is None else version for version in row.versions]
    holders = [" ".join(f"osd.{store.osd}" for store in end) or "-" for end in row.holders]
    return (row.name, row.became, _arrow(*versions), _arrow(*holders))
