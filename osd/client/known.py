"""OSDs and RGs that somebody names, as the map knows them.

Rule: one that is not in the map is `NotThere`, in the same words whoever asks.
"""

from eventlog.ids import OsdId, RgId, osd_name, rg_name
from osd.client.errors import NotThere
from projections.cluster_map import ClusterMap, Osd
from projections.map_departures import WHY as NO_STORE_EVER


def known_osd(now: ClusterMap, osd: OsdId) -> Osd:
    """Raises `NotThere`."""
    found = now.osds.get(osd)
    if found is None:
        raise NotThere(
            f"{osd_name(osd)} is not in the map", "`osdlog map show` lists the OSDs there are."
        )
    return found


def known_rg(now: ClusterMap, rg: RgId) -> RgId:
    """Raises `NotThere`."""
    if 0 <= rg < now.rg_count:
        return rg
    raise NotThere(
        f"there is no {rg_name(rg)}",
        f"The cluster has {now.rg_count} {'RG' if now.rg_count == 1 else 'RGs'}, from 0 on.",
    )


def known_osds(now: ClusterMap, only: OsdId | None) -> list[Osd]:
    """That one, or if none is named, all by number. Raises `NotThere`."""
    if only is not None:
        return [known_osd(now, only)]
    return [osd for _, osd in sorted(now.osds.items())]


def why_no_disk(now: ClusterMap, osd: OsdId) -> str:
    """Of an OSD without a store: it never started, or its disk was retired."""
    mine = [
        (gone.epoch, store, gone.why)
        for store, gone in now.retired.items()
        if store.osd == osd and gone.why != NO_STORE_EVER
    ]
    if not mine:
        return "it has not started yet"
    _, store, why = max(mine)
    return f"it has no disk: {store} was retired ({why})"
