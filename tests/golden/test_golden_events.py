"""The bytes of every event version, kept for ever.

`pytest --rewrite` writes those that are missing or differ; what it changes
must be a new version's, never a released one's.
"""

from pathlib import Path
from textwrap import wrap

import pytest

from eventlog.codec import EVENT_TYPES, Decoder, Event, encode
from eventlog.ids import Micros, Offset, Partition, Topic
from eventlog.log import Record
from eventlog.map_events import MapChanged
from eventlog.schemas import known, written
from golden.sample_events import SAMPLES

EVENTS = Path(__file__).with_name("events")


def decode(value: bytes, topic: Topic) -> Event:
    record = Record(topic, Partition(0), Offset(0), Micros(0), b"", value)
    return Decoder().decode(record)


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_bytes(name: str, rewrite: bool) -> None:
    golden = EVENTS / f"{name}.hex"
    is_written = f"v{written()[SAMPLES[name].schema].version}" == name.split(".")[1]
    if rewrite and is_written:
        golden.write_text("\n".join(wrap(encode(SAMPLES[name]).hex(), 64)) + "\n")
    value = bytes.fromhex(golden.read_text())
    topic = Topic.MAP if isinstance(SAMPLES[name], MapChanged) else Topic.RG
    assert decode(value, topic) == SAMPLES[name]
    assert (encode(SAMPLES[name]) == value) == is_written  # what was written before is only read


def test_every_golden_file_has_its_sample() -> None:
    assert {path.name.removesuffix(".hex") for path in EVENTS.iterdir()} == set(SAMPLES)


def test_every_schema_has_golden_bytes() -> None:
    sampled = {tuple(name.split(".")[:2]) for name in SAMPLES}
    assert {(schema.event, f"v{schema.version}") for schema in known().values()} == sampled
    assert {event for event, _ in sampled} == set(EVENT_TYPES)
