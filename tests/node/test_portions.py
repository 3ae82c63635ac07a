"""What a pump read goes to the loop in portions, in order, and others come between."""

import asyncio

from eventlog.ids import (
    Boot,
    Incarnation,
    Micros,
    Offset,
    OsdId,
    Partition,
    RgId,
    StatementNumber,
    Store,
    Topic,
    Version,
)
from eventlog.log import Record
from eventlog.rg_events import CopiesErased
from osd.core.inputs import Decoded, Read, Skipped
from osd.portions import PORTION_ITEMS, Portions


def record(offset: int) -> Record:
    return Record(Topic.RG, Partition(0), Offset(offset), Micros(0), b"", b"")


def erased(offset: int, copies: int) -> Decoded:
    event = CopiesErased(
        rg=RgId(0),
        time=Micros(1),
        store=Store(OsdId(1), Incarnation(1)),
        boot=Boot(1),
        n=StatementNumber(offset + 1),
        versions=tuple(Version(n + 1) for n in range(copies)),
    )
    return Decoded(record(offset), event)


def given(*records: Decoded | Skipped) -> list[list[int] | str]:
    """What is given in its order; `turn` where the loop did something else."""
    said: list[list[int] | str] = []

    def give(read: Read) -> None:
        said.append([one.record.offset for one in read.records])

    async def run() -> None:
        loop = asyncio.get_running_loop()
        portions = Portions(loop)
        portions.add(lambda: said.append("before"))
        portions.add_records(Read(records), give)
        portions.add(lambda: said.append("after"))
        portions.give()
        portions.give()  # somebody else has something, and does not push in
        while said[-1] != "after":
            said.append("turn")
            await asyncio.sleep(0)

    asyncio.run(run())
    return said


def test_a_few_records_are_given_at_once() -> None:
    assert given(erased(0, 1), Skipped(record(1))) == ["before", [0, 1], "after"]


def test_many_copies_are_given_in_turns_of_the_loop() -> None:
    third = PORTION_ITEMS // 3
    events = [erased(offset, third) for offset in range(4)]
    assert given(*events) == ["before", [0, 1], "turn", [2, 3], "after"]


def test_one_record_is_never_split_however_much_it_says() -> None:
    events = [erased(0, 1), erased(1, 10 * PORTION_ITEMS), erased(2, 1)]
    assert given(*events) == ["before", [0], "turn", [1], "turn", [2], "after"]
