"""Progress: how far a move is, how fast it goes, and how long it still takes.

Rule: made from what remained at some moments and from nothing else. What is to
be moved is the most that ever remained; the rate is that of the last seconds.
It decides nothing, so it may be in floating point.
"""

from collections.abc import Sequence
from typing import NamedTuple

from projections.rg_stats import Amount

WINDOW_MS = 10_000


class Sample(NamedTuple):
    """What remained at a moment."""

    at_ms: int
    remaining: Amount


class Progress(NamedTuple):
    """How far it is."""

    moved: Amount
    remaining: Amount
    objects_per_s: float
    bytes_per_s: float
    left_s: float | None
    """None while nothing moves."""


def progress_of(samples: Sequence[Sample]) -> Progress:
    """By what is known at the last of the samples, which are in the order of time."""
    now = samples[-1]
    recent = [one for one in samples if one.at_ms > now.at_ms - WINDOW_MS]
    top = max(recent, key=lambda one: (one.remaining.objects, one.at_ms))
    seconds = max(now.at_ms - top.at_ms, 1) / 1_000
    objects = (top.remaining.objects - now.remaining.objects) / seconds
    size = max(0, top.remaining.size - now.remaining.size) / seconds
    return Progress(
        moved=Amount(
            max(one.remaining.objects for one in samples) - now.remaining.objects,
            max(one.remaining.size for one in samples) - now.remaining.size,
        ),
        remaining=now.remaining,
        objects_per_s=objects,
        bytes_per_s=size,
        left_s=_left_s(now.remaining, objects, size),
    )


def _left_s(remaining: Amount, objects_per_s: float, bytes_per_s: float) -> float | None:
    if not remaining.objects:
        return 0.0
    if not objects_per_s:
        return None
    by_size = remaining.size / bytes_per_s if bytes_per_s else 0.0
    return max(remaining.objects / objects_per_s, by_size)
