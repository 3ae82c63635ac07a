"""Rule sets: by which of them the SQL judges, and where the log goes by another.

Rule: as the folds do, the audit stops at a claim that names another rule set,
before anybody asks whether the claim is accepted. Its partition stops there, as
at a record that cannot be decoded, and is read on once that is skipped.

What is not here: the rules (see `sql/`).
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa

from eventlog.columns import Stop
from eventlog.errors import BadRecord
from eventlog.ids import Offset, Partition, Position, RgId, Topic, rg_name

RULE_SET = 1
"""The rule set that is written in `sql/`."""


def unknown_rules(decoded: Mapping[str, pa.Table], partitions: int) -> Iterator[Stop]:
    """The claims under another rule set; nobody folds those in the partition of another RG."""
    claims = decoded.get("RgClaimed")
    if claims is None:
        return
    rgs, places, rules = (claims[name].to_numpy() for name in ("rg", "partition", "rules"))
    for number in np.flatnonzero((rules != RULE_SET) & (rgs % partitions == places)).tolist():
        partition = Partition(int(places[number]))
        offset = Offset(claims["offset"][number].as_py())
        rg = rg_name(RgId(int(rgs[number])))
        yield Stop(
            Position(Topic.RG, partition, offset),
            BadRecord(
                f"it claims {rg} under rule set {rules[number]}, which this program lacks",
                "Ask with an osdlog that knows it: nothing after it can be judged here.",
            ),
        )
