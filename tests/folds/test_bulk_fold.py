"""A bulk fold is the fold: the same states and objects, on every log, however it is cut."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from client.past_logs import eventful_log
from contracts.logs import IDENTITY
from eventlog.chunks import Chunk, chunk_of
from eventlog.codec import Decoder, encode
from eventlog.columns import ColumnDecoder
from eventlog.ids import Micros, Offset, Partition, RgId, Topic, Version
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from eventlog.memory import MemoryLog
from eventlog.rg_events import RgEvent
from folds.building import A, B, claimed, doomed, erased, fence, put
from folds.generated import history
from projections.bulk.fold import BulkFold
from projections.bulk.weights import weights_of
from projections.encoding import encode_state
from projections.holdings import weight
from projections.replica_group import fold
from projections.rg_memory import RgProjection

Told = list[tuple[RgEvent, Offset]]


def tables_of(told: Told, log: Log) -> dict[str, pa.Table]:
    return ColumnDecoder(log).decode(chunk(told))


def chunk(told: Told) -> Chunk:
    return chunk_of(
        [
            Record(Topic.RG, Partition(event.rg), offset, Micros(1), b"", encode(event))
            for event, offset in told
        ]
    )


class Both:
    """The same events, folded both ways."""

    def __init__(self) -> None:
        self.log = MemoryLog(IDENTITY)
        self.bulk = BulkFold()
        self.rgs: dict[RgId, RgProjection] = {}
        self.ordinary = 0

    def fold(self, told: Told) -> None:
        if not told:
            return
        for event, offset in told:
            self.rgs.setdefault(event.rg, RgProjection(event.rg)).fold(event, offset)
        odd = self.bulk.fold(tables_of(told, self.log))
        self.ordinary += len({event.rg for event, _ in told} - odd)
        for event, offset in told:
            if event.rg in odd:
                self.bulk.rg(event.rg).fold(event, offset)

    def compare(self) -> None:
        for rg, ours in self.rgs.items():
            theirs = self.bulk.rg(rg)
            assert encode_state(theirs.state) == encode_state(ours.state)
            assert dict(theirs.names()).keys() == dict(ours.names()).keys()
            assert theirs.digest() == ours.digest()
            assert theirs.next_offset == ours.next_offset
            for store in ours.state.holders:
                assert list(theirs.facts_of(store)) == list(ours.facts_of(store))
            for version in map(Version, range(ours.state.version + 2)):
                assert theirs.name_of(version) == ours.name_of(version)


def accepted(events: Sequence[RgEvent]) -> list[RgEvent]:
    """Those of which nothing is void."""
    projection, kept = RgProjection(events[0].rg), []
    for at, event in enumerate(events):
        trial = fold(projection.state, projection, event, Offset(at))
        if trial.void is None:
            projection.fold(event, Offset(at))
            kept.append(event)
    return kept


def mixed(random: Random, rgs: int, length: int, *, only_accepted: bool) -> Told:
    """Several RGs' histories, each in its order, one between the other."""
    queues = []
    for rg in range(rgs):
        events: list[RgEvent] = history(random, length)
        events = accepted(events) if only_accepted else events
        told = [(replace(event, rg=RgId(rg)), Offset(at)) for at, event in enumerate(events)]
        queues.append(told[::-1])
    found: Told = []
    while any(queues):
        found.append(random.choice([queue for queue in queues if queue]).pop())
    return found


def cut(told: Told, random: Random) -> list[Told]:
    pieces, size = [], random.choice([1, 3, 10, 40, 1_000])
    while told:
        end = random.randint(1, size)
        pieces.append(told[:end])
        told = told[end:]
    return pieces


@pytest.mark.parametrize("only_accepted", [True, False])
@settings(max_examples=25)
@given(random=st.randoms(use_true_random=False))
def test_histories_made_by_chance(random: Random, only_accepted: bool) -> None:
    both = Both()
    told = mixed(random, random.randint(1, 3), 60, only_accepted=only_accepted)
    for piece in cut(told, random):
        both.fold(piece)
    both.compare()


def test_a_claim_that_places_nothing_dooms_nothing() -> None:
    """No program writes one; a batch of nothing else is folded as all others are."""
    by = fence(1, by=A)
    nowhere = replace(claimed(by), placed=(), replicas=1)
    events: list[RgEvent] = [nowhere, put(by, 1, "a", A, B), doomed(by, B, 1), erased(B, 1, 1)]
    both = Both()
    both.fold([(event, Offset(at)) for at, event in enumerate(events)])
    both.compare()
    assert both.ordinary


def events_of(log: Log) -> Told:
    decoder, found = Decoder(log), []
    for partition in range(log.identity.partitions):
        for record in log.read(Topic.RG, Partition(partition), Offset(0)):
            event = decoder.decode(record)
            assert not isinstance(event, MapChanged)
            found.append((event, record.offset))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_logs_of_clusters_with_an_eventful_life(seed: int) -> None:
    told = events_of(eventful_log(seed))
    for size in (len(told), 50, 7):
        both = Both()
        for start in range(0, len(told), size):
            both.fold(told[start : start + size])
        both.compare()
        assert both.ordinary  # else nothing was shown


@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(1, 2**41)), max_size=40))
def test_weights_in_arrays_are_those_of_single_copies(pairs: list[tuple[int, int]]) -> None:
    rgs, versions = (np.array([pair[n] for pair in pairs], np.int64) for n in (0, 1))
    expected = [weight(RgId(rg), Version(version)) for rg, version in pairs]
    assert weights_of(rgs, versions).tolist() == expected
