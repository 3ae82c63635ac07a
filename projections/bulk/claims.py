"""The claims of a batch as values: those that doomings are judged by, and those that stand last.

Rule: claims are few, so each is built when it is asked for, as
`projections.replica_group` builds it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from eventlog.ids import Boot, Epoch, Fence, Incarnation, Offset, OsdId, Round, Store
from projections.bulk.arrays import Bools, Longs
from projections.bulk.batch import CLAIMED, Batch
from projections.bulk.object_table import ObjectTable
from projections.rg_state import Claim, RgState

NOBODY = -1


class ClaimBook:
    """Claims by their numbers in `projections.bulk.ordinary.Claims`."""

    def __init__(self, batch: Batch, states: Sequence[RgState], at_event: Longs) -> None:
        self._batch = batch
        self._states = states
        self._at_event = at_event
        self._events: dict[int, int] = {}
        """Of a claim in the batch: its row in the table."""
        self._said: list[dict[str, Any]] = []
        if events := batch.of(CLAIMED):
            numbers = at_event[events.at].tolist()
            self._events = dict(zip(numbers, range(len(numbers)), strict=True))
            self._said = events.table.to_pylist()

    def last(self, rg: int) -> Claim | None:
        """The claim after the batch."""
        return self.claim(int(self._at_event[self._batch.first[rg + 1] - 1]), rg)

    def claim(self, number: int, rg: int) -> Claim | None:
        """The claim of that number, which is of that RG."""
        row = self._events.get(number)
        if row is None:
            return self._states[rg].claim
        said = self._said[row]
        return Claim(
            fence=fence_said(said["fence"]),
            placed=tuple(map(_store, said["placed"])),
            replicas=said["replicas"],
            min_replicas=said["min_replicas"],
            rules=said["rules"],
            offset=Offset(said["offset"]),
        )

    def placed(self, events: Longs, objects: ObjectTable) -> tuple[Longs, Bools]:
        """Of each event: the codes of its claim's placed stores, and whether they are enough."""
        numbers, first, which = np.unique(
            self._at_event[events], return_index=True, return_inverse=True
        )
        rgs = self._batch.rg[events[first]].tolist()
        claims = [self.claim(number, rg) for number, rg in zip(numbers.tolist(), rgs, strict=True)]
        width = max((len(claim.placed) for claim in claims if claim), default=0)
        codes = np.full((len(claims), width), NOBODY, np.int64)
        is_full = np.zeros(len(claims), np.bool_)
        for number, claim in enumerate(claims):
            if claim is not None:
                codes[number, : len(claim.placed)] = list(map(objects.store_code, claim.placed))
                is_full[number] = len(claim.placed) == claim.replicas
        return codes[which], is_full[which]


def _store(said: Any) -> Store:
    return Store(OsdId(said["osd"]), Incarnation(said["incarnation"]))


def fence_said(said: Any) -> Fence:
    """A fence as Arrow gives it back."""
    store = _store(said["store"])
    return Fence(Epoch(said["epoch"]), Round(said["round"]), store, Boot(said["boot"]))
