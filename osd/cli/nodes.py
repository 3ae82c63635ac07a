"""Commands that run things: init, osd, monitor, up.

Rule: what these start ends with them.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from osd.cli import node_options, options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osd.client.losses import Loss
    from osd.core.membership import Rebuild
    from osd.core.scrubbing import Rhythm
    from osd.process import Ready

RGS = 64
OSDS = 3
DATA = Path("osdlog-data")


def _number(name: str, what: str) -> Any:
    return typer.Option(name, metavar="N", min=1, help=what, show_default=False)


_RGS = _number("--rgs", f"RGs of a new cluster, for ever; else {RGS}.")
_REPLICAS = _number("--replicas", "Copies of each object in a new cluster, up to 8; else 1.")
_MIN_REPLICAS = _number("--min-replicas", "How many of them a put waits for there; else 1.")


def init(
    rgs: Annotated[int, _RGS] = RGS,
    replicas: Annotated[int, _REPLICAS] = 1,
    min_replicas: Annotated[int, _MIN_REPLICAS] = 1,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Make a new cluster: its log, and the first event of its map."""
    from eventlog.open import open_log
    from osd.cli.output import count, note, say_json
    from osd.client.async_client import user
    from osd.config import log_url
    from osd.founding import Shape, found

    url = log_url(log)
    shape = Shape(rgs, replicas, min_replicas)
    made = found(url, shape, (), "a new cluster", user() or "unknown")
    with open_log(url) as opened:
        _warn(opened.caution)
    if json:
        say_json({"cluster": made.cluster, "log": url, "rgs": made.rg_count})
        return
    note(f"cluster {made.cluster} of {count(made.rg_count, 'RG')} is at {url}")
    note("next: osdlog map apply --add 0, then osdlog osd --id 0 --data DIR")


def osd(  # noqa: PLR0913, PLR0917 - its options
    osd_id: node_options.Number,
    data: node_options.Data,
    host: node_options.Host = node_options.HOST,
    port: node_options.Port = 0,
    advertise: node_options.Advertise = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Empty the folder: its old disk is lost.")
    ] = False,
    accept_loss: options.AcceptLoss = False,
    reason: options.WhyRebuilt = options.DISK_LOST,
    scrub_every: node_options.ScrubEvery = 24.0,
    deep_every: node_options.DeepScrubEvery = 168.0,
    scrub_rate: node_options.ScrubRate = 20.0,
    purge: node_options.Purge = False,
    watch_parent: Annotated[int | None, typer.Option("--watch-parent", hidden=True)] = None,
    json: options.Json = False,
    log: options.Log = None,
) -> None:
    """Run one OSD until it is told to stop."""
    from eventlog.ids import OsdId, osd_name
    from osd.cli import plain_http  # noqa: F401 - first: the process loads aiohttp too
    from osd.cli.output import as_data, note, say_json
    from osd.cli.retiring import note_lost, say_losses
    from osd.config import log_url
    from osd.process import OsdConfig, run

    def on_ready(ready: "Ready") -> None:
        if json:
            say_json(as_data(ready) | ({"lost": lost} if lost else {}))
        else:
            _warn(ready.caution)
            note(f"{osd_name(ready.osd)} serves at {ready.address} as {ready.store}")

    url = log_url(log)
    word: Rebuild | None = None
    lost: Sequence[Loss] = ()
    if rebuild:
        from osd.cli.rebuilding import require_rebuildable

        number = OsdId(osd_id)
        word, lost = require_rebuildable(url, number, reason, accept_loss=accept_loss, json=json)
        note_lost(lost)
        if not json:
            say_losses(lost)
    config = OsdConfig(
        osd=OsdId(osd_id),
        data=data,
        log=url,
        host=host,
        port=port,
        advertise=advertise,
        rebuild=word,
        watch_parent=watch_parent,
        rhythm=node_options.rhythm(scrub_every, deep_every, scrub_rate),
        purges=purge,
    )
    run(config, on_ready)


def monitor(
    grace: Annotated[
        float,
        typer.Option("--grace", metavar="SECONDS", min=0.1, help="Down after so long a silence."),
    ] = 10.0,
    out_after: Annotated[
        float, typer.Option("--out-after", metavar="SECONDS", min=0, help="Out after so long down.")
    ] = 600.0,
    share: Annotated[
        float,
        typer.Option(
            "--share",
            metavar="PART",
            min=0.0,
            max=1.0,
            help="At most this part is down, or out, by verdicts; one may always be, never all.",
        ),
    ] = 0.5,
    probe: Annotated[
        float, typer.Option("--probe", metavar="SECONDS", min=0.05, help="Ask each OSD so often.")
    ] = 1.0,
    log: options.Log = None,
) -> None:
    """Watch over the OSDs: say in the map who does not answer, and who answers again."""
    from socket import gethostname

    from eventlog.open import open_log
    from eventlog.state_file import StateFile, refuse
    from osd.cli import plain_http  # noqa: F401 - first: the monitor loads aiohttp too
    from osd.cli.output import note
    from osd.cli.running import run, until_stopped
    from osd.config import log_url
    from osd.monitor import Monitor, Patience

    with open_log(log_url(log)) as opened:
        if isinstance(opened, StateFile):
            refuse(opened)
        patience = Patience(probe, grace, out_after, share)
        watching = Monitor(opened, note, patience, gethostname())
        note(f"watching {opened.url}")
        run(until_stopped(watching.run()))


def up(  # noqa: PLR0913, PLR0917 - its options
    osds: Annotated[int | None, _number("--osds", f"OSDs of a new cluster; else {OSDS}.")] = None,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Its folder; made where there is none.")
    ] = DATA,
    rgs: Annotated[int | None, _RGS] = None,
    replicas: Annotated[int | None, _REPLICAS] = None,
    min_replicas: Annotated[int | None, _MIN_REPLICAS] = None,
    log: Annotated[
        str | None, typer.Option("--log", metavar="URL", help="Its log; else DIR/log.sqlite.")
    ] = None,
    scrub_every: node_options.ScrubEvery = 24.0,
    deep_every: node_options.DeepScrubEvery = 168.0,
    scrub_rate: node_options.ScrubRate = 20.0,
    purge: node_options.Purge = False,
) -> None:
    """Run a cluster on this machine; the same DIR starts again where it was."""
    from osd.cli.output import note
    from osd.client.async_client import user
    from osd.config import log_url, passed_over
    from osd.folder import Asked, claimed, cluster_in

    with claimed(data):
        asked = Asked(osds, rgs, replicas, min_replicas)
        url = cluster_in(data, log_url(log) if log else None, asked, user() or "unknown")
        if not log and (elsewhere := passed_over(url)):
            note(f"the log {elsewhere} names is not used: `up` has its own unless --log is given")
        rhythm = node_options.rhythm(scrub_every, deep_every, scrub_rate)
        _run_cluster(url, data, rhythm, purges=purge)


def _run_cluster(url: str, data: Path, rhythm: "Rhythm", *, purges: bool) -> None:
    from shlex import quote

    from osd.cli.output import count, note
    from osd.cli.running import run, until_stopped
    from osd.supervisor import Supervisor

    async def work() -> None:
        async with Supervisor(url, data, note, rhythm, purges=purges) as supervisor:
            _warn(supervisor.caution)
            await supervisor.ready()
            note(f"the cluster is up: {count(len(supervisor.osds), 'OSD')}")
            note(f"    export OSDLOG_LOG={quote(url)}")
            note("    osdlog status")
            note("Ctrl-C stops it")
            await supervisor.run()

    run(until_stopped(work()))


def _warn(caution: str) -> None:
    from osd.cli.output import note

    if caution:
        note(f"warning: {caution}")


def add_to(app: typer.Typer) -> None:
    """Give the program these commands."""
    for command in (up, init, osd, monitor):
        app.command()(command)
