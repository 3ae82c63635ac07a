"""The checker of the log's records: good histories, and each anomaly of Jepsen's by itself."""

import pytest

from eventlog.ids import Partition, Topic
from simulation.checkers.log_records import Heard, Polled, Sent, Sought, log_faults

P, Q = (Topic.RG, Partition(0)), (Topic.RG, Partition(1))

GOOD: dict[str, list[Heard]] = {
    "nothing": [],
    "two readers, each at its own pace": [
        Sent(P, b"a", 0),
        Polled("x", P, 0, b"a"),
        Sent(P, b"b", 1),
        Polled("y", P, 0, b"a"),
        Polled("x", P, 1, b"b"),
        Polled("y", P, 1, b"b"),
    ],
    "a reader that begins in the middle": [Sought("x", P, 7), Polled("x", P, 7, b"a")],
    "a reader that was told to begin again": [
        Polled("x", P, 0, b"a"),
        Sought("x", P, 0),
        Polled("x", P, 0, b"a"),
    ],
    "an append of unknown outcome that is not there": [Sent(P, b"a", None)],
    "an append that nobody has read yet": [Sent(P, b"a", 3)],
    "the same value in two partitions": [Polled("x", P, 0, b"a"), Polled("x", Q, 0, b"a")],
}

BAD: dict[str, tuple[str, list[Heard]]] = {
    "lost": ("nobody who read on", [Sent(P, b"a", 0), Sought("x", P, 1), Polled("x", P, 1, b"b")]),
    "another value": ("another value", [Sent(P, b"a", 0), Polled("x", P, 0, b"b")]),
    "two values": ("has two values", [Polled("x", P, 0, b"a"), Polled("y", P, 0, b"b")]),
    "twice": ("one value at two places", [Polled("x", P, 0, b"a"), Polled("x", P, 1, b"a")]),
    "back": ("went back", [Polled("x", P, 0, b"a"), Polled("x", P, 0, b"a")]),
    "left out": ("left something out", [Polled("x", P, 0, b"a"), Polled("x", P, 2, b"c")]),
}


@pytest.mark.parametrize("history", GOOD.values(), ids=GOOD)
def test_nothing_is_wrong(history: list[Heard]) -> None:
    assert list(log_faults(history)) == []


@pytest.mark.parametrize(("what", "history"), BAD.values(), ids=BAD)
def test_the_anomaly_is_named(what: str, history: list[Heard]) -> None:
    [fault] = log_faults(history)
    assert what in fault
