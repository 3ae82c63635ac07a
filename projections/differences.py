"""Differences: what became of the RGs of one moment by another.

Rule: a difference is a pure function of the two folds; which moment is the
earlier one does not matter, and what is equal in both is not in it.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from eventlog.ids import RgId, Store, Version
from projections.overview import Overview, RgOverview, StoreOverview
from projections.rg_state import Entry


class Became(StrEnum):
    """What happened to an object, as the two ends of it tell."""

    CREATED = "created"
    OVERWRITTEN = "overwritten"
    DELETED = "deleted"
    MOVED = "moved"
    """The same version, but other stores hold it, or otherwise."""
    FORGOTTEN = "forgotten"
    """A tombstone that nobody waits for any more, or one that came."""


class ObjectDifference(NamedTuple):
    """One object."""

    name: str
    became: Became
    versions: tuple[Version | None, Version | None]
    """Of it as it lived at either moment; None where it did not live."""
    holders: tuple[tuple[Store, ...], tuple[Store, ...]]


class RgDifference(NamedTuple):
    """One RG; None where it had no event yet."""

    rg: RgId
    before: RgOverview | None
    after: RgOverview | None


class StoreDifference(NamedTuple):
    """One store; None where nothing was known of it."""

    store: Store
    before: StoreOverview | None
    after: StoreOverview | None


def rg_differences(before: Overview, after: Overview) -> tuple[RgDifference, ...]:
    """RGs that differ in any number, state or place."""
    old, new = ({row.rg: row for row in each.rgs} for each in (before, after))
    rows = (RgDifference(rg, old.get(rg), new.get(rg)) for rg in sorted(old.keys() | new.keys()))
    return tuple(row for row in rows if row.before != row.after)


def store_differences(before: Overview, after: Overview) -> tuple[StoreDifference, ...]:
    """Stores that differ in any number or in their condition."""
    old, new = ({row.store: row for row in each.stores} for each in (before, after))
    stores = sorted(old.keys() | new.keys())
    rows = (StoreDifference(store, old.get(store), new.get(store)) for store in stores)
    return tuple(row for row in rows if row.before != row.after)


def object_differences(
    before: Iterable[tuple[str, Entry]], after: Iterable[tuple[str, Entry]]
) -> Iterator[ObjectDifference]:
    """Objects of one RG that differ, in the order of their names' UTF-8."""
    old, new = dict(before), dict(after)
    for name in sorted(old.keys() | new.keys(), key=str.encode):
        was, now = old.get(name), new.get(name)
        if was != now:
            yield ObjectDifference(
                name, _became(was, now), (_living(was), _living(now)), (_held(was), _held(now))
            )


def count_became(differences: Iterable[ObjectDifference]) -> Mapping[Became, int]:
    """How many of each kind."""
    found = dict.fromkeys(Became, 0)
    for difference in differences:
        found[difference.became] += 1
    return found


def _became(was: Entry | None, now: Entry | None) -> Became:
    old, new = _living(was), _living(now)
    if old is None:
        return Became.FORGOTTEN if new is None else Became.CREATED
    if new is None:
        return Became.DELETED
    return Became.MOVED if old == new else Became.OVERWRITTEN


def _living(entry: Entry | None) -> Version | None:
    return entry.version if entry is not None and entry.body is not None else None


def _held(entry: Entry | None) -> tuple[Store, ...]:
    return tuple(sorted(entry.holders())) if entry is not None else ()
