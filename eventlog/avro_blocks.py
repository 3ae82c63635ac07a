"""Avro blocks: many datums of one schema, decoded at once into columns.

Rule: datums that stand one behind the other are the block of an Avro object
container, but for its header; that is put before them in memory, and the whole
is read in one pass. What is left over is not noticed. So whoever calls puts a
datum that it knows behind the others, and looks whether it came out as it went
in: only that shows that none was shorter or longer than its schema says.

A map is read as the array of pairs that its bytes are: Arrow has nothing else
either. Polars reads no union of records, and no type by its name alone.

Source: https://avro.apache.org/docs/1.12.0/specification/#object-container-files

What is not here: which datums belong together.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from itertools import count as counted
from typing import Any

import polars as pl
from polars.exceptions import PanicException

_SYNC = bytes(16)
"""Any 16 bytes do: there is one block."""


class Block:
    """Reads blocks of one schema."""

    def __init__(self, avro: dict[str, Any]) -> None:
        schema = json.dumps(_spelled_out(avro, {}, counted())).encode()
        pairs = (b"avro.schema", schema), (b"avro.codec", b"null")
        metadata = b"".join(_bytes(key) + _bytes(value) for key, value in pairs)
        self._head = b"Obj\x01" + _long(len(pairs)) + metadata + _long(0) + _SYNC

    def read(self, count: int, datums: bytes) -> pl.DataFrame:
        """A row for each of `count` datums, 1 or more; `ValueError` where they are no such datums.

        What is left over behind them is not looked at.
        """
        sizes = _long(count) + _long(len(datums))
        container = BytesIO(b"".join((self._head, sizes, datums, _SYNC)))
        try:
            frame = pl.read_avro(container)
        except (Exception, PanicException) as error:  # it fails in many ways on foreign bytes
            raise ValueError(f"not {count} datums of the schema: {error}") from error
        if frame.height != count:
            raise ValueError(f"{frame.height} datums where {count} were said to be")
        return frame


def _spelled_out(avro: Any, named: dict[str, Any], numbers: Iterator[int]) -> Any:
    """The schema with every named type written out under a name of its own, and maps as pairs."""
    if isinstance(avro, str):
        known = named.get(avro.rpartition(".")[2])
        return avro if known is None else _spelled_out(known, named, numbers)
    if isinstance(avro, list):
        return [_spelled_out(branch, named, numbers) for branch in avro]
    match avro["type"]:
        case "map":
            pair = [{"name": "key", "type": "string"}, {"name": "value", "type": avro["values"]}]
            items = {"type": "record", "name": "Pair", "fields": pair}
            return {"type": "array", "items": _spelled_out(items, {}, numbers)}
        case "array":
            return {"type": "array", "items": _spelled_out(avro["items"], named, numbers)}
        case "fixed":
            named[avro["name"]] = avro
            return {"type": "fixed", "name": f"F{next(numbers)}", "size": avro["size"]}
        case "record":
            named[avro["name"]] = avro
            fields = [
                {"name": field["name"], "type": _spelled_out(field["type"], named, numbers)}
                for field in avro["fields"]
            ]
            return {"type": "record", "name": f"R{next(numbers)}", "fields": fields}
        case other:
            return _spelled_out(other, named, numbers)


def _long(number: int) -> bytes:
    """Zigzag, then seven bits a byte, the lowest first."""
    rest = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _bytes(content: bytes) -> bytes:
    return _long(len(content)) + content
