"""The sums of many records at once: as `record_sum` has them, and no other."""

from random import Random

import numpy as np
import pytest

from eventlog.ids import Partition, Topic
from eventlog.sqlite_read import record_sum, seed_of
from eventlog.sqlite_sums import Sums, do_match, seeds_of

PARTITIONS = 5


def made(count: int, longest: int) -> tuple[Sums, bytes]:
    random = Random(count)
    partitions = [random.randrange(PARTITIONS) for _ in range(count)]
    offsets = [random.getrandbits(random.choice((3, 20, 62))) for _ in range(count)]
    timestamps = [random.getrandbits(62) for _ in range(count)]
    keys = [random.randbytes(4) for _ in range(count)]
    values = [random.randbytes(random.randrange(longest)) for _ in range(count)]
    sums = [
        record_sum(seed_of(Topic.RG, Partition(partitions[n])), *each)
        for n, each in enumerate(zip(offsets, timestamps, keys, values, strict=True))
    ]
    ends = np.cumsum([len(key) + len(value) for key, value in zip(keys, values, strict=True)])
    octets = b"".join(key + value for key, value in zip(keys, values, strict=True))
    columns = [np.array(each, np.int64) for each in (partitions, offsets, timestamps, ends, sums)]
    return Sums(*columns), octets


@pytest.mark.parametrize(("count", "longest"), [(1, 9), (2, 1), (700, 40), (300, 9_000)])
def test_right_sums_match(count: int, longest: int) -> None:
    found, octets = made(count, longest)
    assert do_match(found, octets, seeds_of(PARTITIONS))


@pytest.mark.parametrize("field", ["partitions", "offsets", "timestamps", "sums"])
def test_one_wrong_number_does_not(field: str) -> None:
    found, octets = made(200, 40)
    for number in (0, 117, 199):
        wrong = getattr(found, field).copy()
        wrong[number] ^= 1
        assert not do_match(found._replace(**{field: wrong}), octets, seeds_of(PARTITIONS + 1))


def test_no_flipped_bit_is_passed() -> None:
    found, octets = made(40, 30)
    for bit in range(0, 8 * len(octets), 7):
        wrong = bytearray(octets)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not do_match(found, bytes(wrong), seeds_of(PARTITIONS))


def test_records_in_each_others_place_do_not_match() -> None:
    found, octets = made(2, 1)  # no values, only keys
    swapped = octets[4:] + octets[:4]
    assert octets != swapped
    assert not do_match(found, swapped, seeds_of(PARTITIONS))
