"""Retries: a request is asked again until it is answered or its time is up.

Rule: what may succeed later is asked again with the same request id, of the
primary by the newest map, after a short pause that grows and is never the
same for two clients. Once an attempt may have taken effect, giving up says
so: only an answer ends that doubt. A read has no effect, so its end is known.
"""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple, TypeVar

from eventlog.errors import BadName, LogUnavailable, OsdlogError
from eventlog.ids import Epoch, RgId, rg_name
from osd.client.errors import NotThere
from osd.client.map_reader import MapReader
from osd.client.placing import MAKE_PLACE, Placing
from osd.errors import DiskFull, OutcomeUnknown, Unavailable
from projections.cluster_map import Osd
from projections.explain import NO_PLACE

FIRST_PAUSE_MS = 20
LONGEST_PAUSE_MS = 1_000
PAUSE_GROWTH = 1.7


class Deadline:
    """Until when one request is asked again. Raises `BadName` where that is no time."""

    def __init__(self, seconds: float) -> None:
        if not math.isfinite(seconds) or seconds < 0:
            raise BadName(f"{seconds:g} s is no deadline", "Give a number of seconds.")
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left_ms(self) -> int:
        """Milliseconds left, 0 when it is over."""
        return max(0, int(1_000 * (self._end - time.monotonic())))


class Pauses:
    """The pauses of one request: each longer than the last, none as another client's."""

    def __init__(self) -> None:
        self._pause_ms = float(FIRST_PAUSE_MS)

    async def wait(self, at_least_ms: int, deadline: Deadline) -> bool:
        """Wait before the next attempt; False, at once, where no time is left for one."""
        own_ms = self._pause_ms * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._pause_ms = min(LONGEST_PAUSE_MS, self._pause_ms * PAUSE_GROWTH)
        wait_ms = max(at_least_ms, own_ms)
        if wait_ms >= deadline.left_ms:
            return False
        await asyncio.sleep(wait_ms / 1_000)
        return True


class Effect(Enum):
    """What an attempt may do, and what the next one then meets."""

    NONE = auto()
    ONCE = auto()
    """The request id is in the log: the next gets the first one's answer."""
    UNNAMED = auto()
    """No request id is: the next finds the object gone, as if somebody else had done that."""


class Again(NamedTuple):
    """An attempt came to nothing: why, and when to ask again."""

    error: OsdlogError
    after_ms: int = 0
    is_unknown: bool = False
    """It may have taken effect all the same."""
    newer: Epoch = Epoch(0)
    """The answer knew this epoch."""


T = TypeVar("T")
Attempt = Callable[[Osd], Awaitable[T | Again]]


async def until_served(
    reader: MapReader,
    placing: Placing,
    rg: RgId,
    deadline: Deadline,
    attempt: Attempt[T],
    effect: Effect = Effect.NONE,
) -> T:
    """What an attempt gives in the end; `Unavailable`, `OutcomeUnknown` when time is up."""
    pauses, is_unknown = Pauses(), False
    while True:
        epoch, osd = placing.epoch, placing.primary(rg)
        try:
            answer = await attempt(osd) if osd is not None else _nobody(rg, placing)
        except DiskFull as error:
            if not is_unknown:
                raise
            answer = Again(error, LONGEST_PAUSE_MS)  # said before the request id was looked at
        except NotThere as error:
            if not is_unknown or effect is not Effect.UNNAMED:
                raise
            raise _perhaps_by_this(error) from error
        if not isinstance(answer, Again):
            return answer
        is_unknown |= answer.is_unknown and effect is not Effect.NONE
        with suppress(LogUnavailable):  # while time is left the map may do as it was read last
            await asyncio.to_thread(reader.refresh)
        if epoch < answer.newer <= placing.epoch:
            continue
        if not await pauses.wait(answer.after_ms, deadline):
            raise given_up(answer.error, deadline, is_unknown=is_unknown)


def _nobody(rg: RgId, placing: Placing) -> Again:
    at = f"at epoch {placing.epoch}"
    if placing.is_anywhere:
        what = f"no OSD of {rg_name(rg)} is up {at}"
        hint = "Start the OSDs, with `osdlog up` or `osdlog osd`; `osdlog status` lists them."
    else:
        what = f"{rg_name(rg)} is placed nowhere {at}: {NO_PLACE}"
        hint = MAKE_PLACE
    return Again(Unavailable(what, hint))


def _perhaps_by_this(error: NotThere) -> OutcomeUnknown:
    what = f"{error.what} now; an attempt that got no answer may have been what took it away"
    return OutcomeUnknown(what, "`osdlog history NAME` shows what was done, by whom and when.")


def given_up(error: OsdlogError, deadline: Deadline, *, is_unknown: bool = False) -> OsdlogError:
    """What to raise when time is up; `error` is why the last attempt failed."""
    what = f"{error.what} (asked for {deadline.seconds:g} s)"
    if is_unknown:
        hint = "Ask again with the same request id, or look whether the object is as wanted."
        return OutcomeUnknown(what, hint)
    return Unavailable(what, error.hint)
