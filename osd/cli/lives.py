"""The commands locate and history: where an object is and was, and all that was done to it.

Rule: both are told by the log alone, from one RG's records: no OSD is asked,
so they know departed OSDs and deleted objects too. Exit 1 where the name never
was; 3 where the RG cannot be read to its end: what is known is printed first.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import options

if TYPE_CHECKING:
    from eventlog.ids import Store
    from projections.cluster_map import ClusterMap
    from projections.object_life import CopyTold, ObjectLife, VersionTold

FAILED = 3
SHOWN_DIGITS = 12
"""Of a SHA-256 in a table; JSON has all."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The object's name.")]


def locate(name: Name, json: options.Json = False, log: options.Log = None) -> None:
    """Show where an object is now and has ever been, also on OSDs that left."""
    from osd.cli.output import say, say_json, table

    life = _life(name, log)
    now, ever = life.present, [*life.copies, *life.present]
    if json:
        say_json(_about(life) | {"copies": [_copy_json(copy, life.map) for copy in ever]})
    else:
        say(_sentence(life))
        heads = ("store", "version", "copy", "since", "until", "note")
        rows = (_copy_row(copy, life.map) for copy in (*now, *reversed(life.copies)))
        table(heads, rows, numbers=("version",))
    _end(life)


def history(name: Name, json: options.Json = False, log: options.Log = None) -> None:
    """Show every version of an object: what was done, by whom, when, under which claim."""
    from osd.cli.output import say, say_json, table

    life = _life(name, log)
    told = list(zip(life.versions, life.states(), strict=True))
    if json:
        say_json(_about(life) | {"versions": [_version_json(*each) for each in told]})
    else:
        say(_sentence(life))
        heads = ("version", "time", "what", "by", "size", "sha256", "claim", "position", "state")
        table(heads, (_version_row(*each) for each in told), numbers=("version", "size"))
    _end(life)


def _life(name: str, url: str | None) -> "ObjectLife":
    """Told by the log; `NotThere` where it tells nothing."""
    from eventlog.ids import checked_name, rg_of
    from eventlog.open import open_log
    from osd.cli.explaining import reading
    from osd.client.errors import NotThere
    from osd.client.map_reader import MapReader, require_cluster
    from osd.client.stories import read_story
    from osd.config import log_url
    from projections.object_life import ObjectLife

    with open_log(log_url(url)) as log, reading() as step:
        found = require_cluster(log, MapReader(log).refresh())
        life = ObjectLife(rg_of(checked_name(name), found.rg_count), name)
        read_story(log, life.rg, life, step)
    if not life.versions:
        raise NotThere(
            f"the log tells of no object {name!r}",
            '`osdlog ls` lists the names there are, `osdlog sql "FROM objects"` all there ever'
            " were.",
        )
    return life


def _sentence(life: "ObjectLife") -> str:
    from eventlog.ids import rg_name

    entry = life.entry
    last = next((told for told in reversed(life.versions) if told.void is None), None)
    where = f"of {rg_name(life.rg)}"
    if last is None:
        return f"{life.name} {where} was never stored: all its operations are void."
    if entry is not None and entry.body is not None:
        copies = sum(store not in life.map.retired for store in entry.holders())
        return (
            f"{life.name} lives, {entry.body.size:,} bytes, at version {entry.version} {where}; "
            f"{copies} {'copy counts' if copies == 1 else 'copies count'}."
        )
    left = len(life.present)
    rest = f"{left} {'copy is' if left == 1 else 'copies are'} still to be erased" if left else ""
    return f"{life.name} {where} is deleted since {_moment(last.at.time)}" + (
        f"; {rest}." if rest else ", and no copy is left."
    )


def _copy_row(copy: "CopyTold", cluster_map: "ClusterMap") -> tuple[Any, ...]:
    until = "" if copy.until is None else str(copy.until.position)
    note = note_on(copy.store, cluster_map)
    status = _status(copy, cluster_map)
    return (copy.store, copy.version, status, copy.since.position, until, note)


def _status(copy: "CopyTold", cluster_map: "ClusterMap") -> str:
    """As the RG's log says; a store may be retired though no primary has said so there yet."""
    is_there = copy.until is None
    return "retired" if is_there and copy.store in cluster_map.retired else copy.status


def note_on(store: "Store", cluster_map: "ClusterMap") -> str:
    """What became of a store by the map: up, down, retired or departed."""
    if store in cluster_map.retired:
        return f"retired: {cluster_map.retired[store].why}"
    osd = cluster_map.osd_of(store)
    if osd is None:
        return "departed"
    words = ["up" if osd.is_up else "down"]
    words += ["leaving"] if osd.is_leaving else [] if osd.is_in else ["out"]
    return ", ".join(words)


def _version_row(told: "VersionTold", state: str) -> tuple[Any, ...]:
    event = told.event
    body = getattr(event, "sha256", None)
    return (
        event.version,
        _moment(told.at.time),
        told.operation,
        event.actor or "",
        "" if body is None else f"{getattr(event, 'size', 0):,}",
        "" if body is None else body.hex()[:SHOWN_DIGITS],
        told.fence,
        told.at.position,
        state if told.void is None else f"void: {told.void.value}",
    )


def _about(life: "ObjectLife") -> dict[str, Any]:
    entry = life.entry
    is_live = entry is not None and entry.body is not None
    version = max((told.event.version for told in life.versions if told.void is None), default=None)
    return {
        "name": life.name,
        "rg": life.rg,
        "is_live": is_live,
        "version": version,
        "stopped": life.stopped,
    }


def _copy_json(copy: "CopyTold", cluster_map: "ClusterMap") -> dict[str, Any]:
    return {
        "store": str(copy.store),
        "osd": copy.store.osd,
        "version": copy.version,
        "status": _status(copy, cluster_map),
        "since": _point(copy.since),
        "until": copy.until and _point(copy.until),
        "note": note_on(copy.store, cluster_map),
    }


def _version_json(told: "VersionTold", state: str) -> dict[str, Any]:
    from osd.cli.output import as_data

    event: dict[str, Any] = as_data(told.event)
    event["fence"] = str(told.fence)
    event["stores"] = [str(store) for store in getattr(told.event, "stores", ())]
    said: dict[str, Any] = {
        "operation": told.operation,
        "state": state,
        "void": told.void and told.void.value,
    }
    return said | _point(told.at) | event


def _point(point: Any) -> dict[str, Any]:
    return {"position": str(point.position), "timestamp": point.time}


def _moment(micros: int) -> str:
    from osd.cli.explaining import moment

    return moment(micros)


def _end(life: "ObjectLife") -> None:
    from eventlog.ids import rg_name
    from osd.cli.output import note

    if life.stopped is not None:
        note(f"error: {rg_name(life.rg)} cannot be read to its end: {life.stopped}")
        note("hint: What came before that is shown; `osdlog explain` says who must act.")
        raise typer.Exit(FAILED)


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    app.command()(locate)
    app.command()(history)
