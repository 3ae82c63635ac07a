"""Routing: what a node answers to a client that should have asked another OSD.

Rule: a client is sent on only to a newer map than its own, so that two nodes
with different maps never send it back and forth.
"""

from eventlog.ids import Epoch, RgId, Store, osd_name, rg_name
from osd.core.answers import Elsewhere, NotNow
from osd.core.context import Context


def not_primary(
    context: Context, rg: RgId, acting: tuple[Store, ...], epoch: Epoch
) -> Elsewhere | NotNow:
    """The answer of an OSD that is not the RG's primary to a sender of this epoch."""
    here = context.map.epoch
    if not acting:
        return NotNow(f"no OSD of {rg_name(rg)} is up at epoch {here}")
    if epoch < here:
        return Elsewhere(here, context.address_of(acting[0]))
    name = osd_name(context.me.osd)
    return NotNow(f"{name} is not the primary of {rg_name(rg)} at epoch {here}")
