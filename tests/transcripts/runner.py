"""Runs transcripts: text scenarios over a simulated cluster, with what they print.

Rule: a transcript is blocks of commands, a line `----`, and what the commands
printed: every event they brought into the log, every answer, and what they
were asked to show. Two runs print the same.

    snapshots MS         OSDs ask for snapshots and wait so long (first of all)
    garble FROM TO       every snapshot has these letters instead of those when it comes
    osds N ...           add and start these OSDs
    start N [rebuild]    start a dead OSD's process        start N briefly: for 3 ms
    kill N [keep K]      kill -9; K (or all) changes survive that were not durable
    wipe N               its disk is lost (kill it first)  return N: the last that was lost is back
    pin N[,N]            place the one RG on osd.N         pin N briefly: for 5 ms
    copies N             keep so many of each object
    map CHANGE N         out, in, remove, down, retire; doubt: down by a monitor's verdict
    put NAME TEXT, get NAME, rm NAME
        [as REQUEST] [at N] [if absent | if there | if V]: at N: of osd.N, whoever is the primary
        [over MS]: the body is a file, and takes so long to come
    cut N                no way between osd.N and the log  heal
    hold N M             what osd.N sends to osd.M waits   repeat N M: the next comes once more
    release              all of that arrives now
    lag N TOPIC MS       osd.N reads nothing new of the map or of the rg for so long
    freeze N             its process stands still          thaw N
    fates FATE ...       of the next appends: ok or one of refused, full, lost, landed, late, twice
                         and unsaid: lost without a word, as no log may
    spoil N NAME         other bytes on its disk           vanish N NAME: its copy's row is gone
    misplace N NAME      its copy or its file is gone       mend N NAME: the right bytes again
    leap YEARS
    scrub N [light]      it looks at all it has, every byte
    ask N                somebody's proof waits for what it has
    run MS               let time pass                     settle
    until EVENT [osd.N]  let time pass until such an event is in the log
    show                 states, sources, copies on disks
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

from eventlog.ids import OsdId, Partition, RgId, Topic, Version
from eventlog.map_events import (
    MapChange,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdOut,
    ReplicasSet,
    RgPinned,
    StoreWrittenOff,
)
from eventlog.telling import tell
from osd.core.answers import (
    Answer,
    ConditionFailed,
    Done,
    Elsewhere,
    Found,
    Kept,
    Known,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Refused,
    Reserved,
    Unavailable,
    UpToDate,
)
from osd.core.effects import Ticket
from osd.core.inputs import Condition, Consistency, HoldingsWanted
from osd.core.membership import MONITOR
from osd.core.scrubbing import Depth
from osd.disk import Copy
from projections.explain import explain
from projections.plans import Source, import_plan
from simulation.asking import Asker, Options
from simulation.chance import Chance
from simulation.cluster import Cluster
from simulation.nemesis import YEAR_MS
from simulation.network import LOG
from simulation.pump import AppendFault
from simulation.reference import Told
from simulation.scrubs import Scrubs
from simulation.stores import Machine

RG = RgId(0)
SEPARATOR = "----"


def rewrite(text: str) -> str:
    """The transcript with what its commands print now."""
    runner = Runner()
    blocks = [runner.run_block(block) for block in text.strip().split("\n\n")]
    return "\n\n".join(blocks) + "\n"


def read(path: Path) -> str:
    """The transcript as it is kept."""
    return path.read_text(encoding="utf-8")


class Runner:
    """One transcript being run, over one RG."""

    def __init__(self) -> None:
        self.cluster = Cluster(rgs=1)
        self.asker = Asker(self.cluster)
        self._seen = 1  # the cluster's own creation is not worth a line
        self._asked: dict[int, str] = {}
        self._printed: list[str] = []
        self._wiped: list[Machine] = []

    def run_block(self, block: str) -> str:
        """Commands up to the separator, and what they print now."""
        lines = block.split("\n")
        commands = lines[: lines.index(SEPARATOR)] if SEPARATOR in lines else lines
        self._printed = []
        for command in commands:
            if command and not command.startswith("#"):
                self._run(command)
                self._print_news()
        return (
            "\n".join([*commands, SEPARATOR, *self._printed])
            if self._printed
            else ("\n".join(commands))
        )

    def _run(self, command: str) -> None:
        verb, *words = command.split()
        actions: dict[str, Callable[..., None]] = {
            "snapshots": self._snapshots,
            "garble": self._garble,
            "osds": self._osds,
            "start": self._start,
            "kill": self._kill,
            "wipe": self._wipe,
            "return": self._return,
            "pin": self._pin,
            "map": self._map,
            "put": self._put,
            "get": self._get,
            "rm": self._rm,
            "run": self._let_run,
            "settle": self._settle,
            "until": self._until,
            "show": self._show,
            "cut": self._cut,
            "heal": self._heal,
            "hold": self._hold,
            "repeat": self._repeat,
            "release": self._release,
            "lag": self._lag,
            "freeze": self._freeze,
            "thaw": self._thaw,
            "fates": self._fates,
            "spoil": self._spoil,
            "vanish": self._vanish,
            "misplace": self._misplace,
            "mend": self._mend,
            "copies": self._copies,
            "scrub": self._scrub,
            "ask": self._ask_holdings,
            "leap": self._leap,
        }
        actions[verb](*words)

    def _snapshots(self, ms: str) -> None:
        self.cluster.settings = self.cluster.settings._replace(snapshot_ms=int(ms))

    def _garble(self, before: str, after: str) -> None:
        self.cluster.chance = _Garbling(before.encode(), after.encode())

    def _osds(self, *osds: str) -> None:
        for osd in osds:
            self.cluster.add(OsdId(int(osd)))
            self.cluster.world.run(100)

    def _start(self, osd: str, how: str = "") -> None:
        self.cluster.start(OsdId(int(osd)), may_rebuild=how == "rebuild")
        self.cluster.world.run(3 if how == "briefly" else 50)

    def _kill(self, osd: str, _keep: str = "", count: str = "0") -> None:
        self.cluster.kill(OsdId(int(osd)), None if count == "all" else int(count))

    def _wipe(self, osd: str) -> None:
        self._wiped.append(self.cluster.wipe(OsdId(int(osd))))

    def _return(self, osd: str) -> None:
        [machine] = [machine for machine in self._wiped if machine.store.osd == int(osd)]
        machine.address += " of old"
        self.cluster.returned.append(machine)
        self.cluster.start_machine(machine, may_rebuild=True)
        self.cluster.world.run(50)

    def _pin(self, osd: str, briefly: str = "") -> None:
        osds = tuple(OsdId(int(number)) for number in osd.split(","))
        self._change(RgPinned(rg=RG, osds=osds))
        self.cluster.world.run(5 if briefly else 50)

    def _copies(self, replicas: str) -> None:
        self._change(ReplicasSet(replicas=int(replicas), min_replicas=1))
        self.cluster.world.run(50)

    def _map(self, change: str, osd: str) -> None:
        number = OsdId(int(osd))
        if change == "retire":
            store = self.cluster.machines[number].store
            self._change(StoreWrittenOff(store=store, by="operator", why="burnt"))
        elif change in ("down", "doubt"):
            known = self.cluster.map.osds[number]
            assert known.store is not None
            author = MONITOR if change == "doubt" else "operator"
            self._change(OsdDown(store=known.store, boot=known.boot, why="does not answer"), author)
        else:
            kinds: dict[str, Callable[..., MapChange]] = {
                "out": OsdOut,
                "in": OsdIn,
                "remove": OsdLeaving,
            }
            self._change(kinds[change](osd=number))
        self.cluster.world.run(50)

    def _change(self, change: MapChange, author: str = "operator") -> None:
        refusal = self.cluster.change_map(change, author=author)
        if refusal is not None:
            self._printed.append(f"refused: {refusal}")

    def _put(self, name: str, text: str, *options: str) -> None:
        ticket = self.asker.put(name, text.encode(), **_options(options))
        self._ask(ticket, f"put {name}")

    def _get(self, name: str, *options: str) -> None:
        self._ask(self.asker.get(name, **_options(options)), f"get {name}")

    def _rm(self, name: str, *options: str) -> None:
        self._ask(self.asker.delete(name, **_options(options)), f"rm {name}")

    def _ask(self, ticket: Ticket, what: str) -> None:
        self._asked[ticket] = what
        self.cluster.world.run(20)

    def _cut(self, osd: str) -> None:
        address = self._machine(osd).address
        self.cluster.network.cut(address, LOG)
        self.cluster.network.cut(LOG, address)

    def _heal(self) -> None:
        self.cluster.network.heal()

    def _hold(self, origin: str, target: str) -> None:
        self.cluster.network.hold(self._machine(origin).address, self._machine(target).address)

    def _repeat(self, origin: str, target: str) -> None:
        self.cluster.network.repeat(self._machine(origin).address, self._machine(target).address)

    def _release(self) -> None:
        self.cluster.network.release()
        self.cluster.world.run(50)

    def _lag(self, osd: str, topic: str, ms: str) -> None:
        self.cluster.lag(self._machine(osd), (Topic(topic), Partition(0)), int(ms))

    def _freeze(self, osd: str) -> None:
        self.cluster.freeze(self._machine(osd))

    def _thaw(self, osd: str) -> None:
        self.cluster.thaw(self._machine(osd))
        self.cluster.world.run(100)

    def _fates(self, *fates: str) -> None:
        coming = iter(None if fate == "ok" else AppendFault[fate.upper()] for fate in fates)
        self.cluster.fault = lambda: next(coming, None)

    def _spoil(self, osd: str, name: str) -> None:
        machine = self._machine(osd)
        for _, copy in machine.disk(RG).copies():
            if copy.name == name:
                machine.spoil(RG, copy.body)

    def _mend(self, osd: str, name: str) -> None:
        """What `spoil` did is undone, as where a disk could not be read for a while."""
        machine = self._machine(osd)
        for _, copy in self._copies_of(machine, name):
            machine.mend(RG, copy)

    def _vanish(self, osd: str, name: str) -> None:
        machine = self._machine(osd)
        for version, copy in self._copies_of(machine, name):
            machine.vanish(RG, version, copy)

    def _misplace(self, osd: str, name: str) -> None:
        machine = self._machine(osd)
        for version, copy in self._copies_of(machine, name):
            machine.misplace(RG, version, copy)

    def _copies_of(self, machine: Machine, name: str) -> list[tuple[Version, Copy]]:
        disk = machine.disk(RG)
        each = [*disk.copies(), *disk.imported()]
        return [(version, copy) for version, copy in each if copy.name == name]

    def _scrub(self, osd: str, depth: str = "deep") -> None:
        Scrubs(self.cluster, Random(0), lambda *_: None).all_of(self._machine(osd), Depth(depth))
        self.cluster.world.run(50)

    def _ask_holdings(self, osd: str) -> None:
        self.cluster.feed(self._machine(osd), HoldingsWanted((RG,)))
        self.cluster.world.run(50)

    def _leap(self, years: str) -> None:
        self.cluster.world.leap(int(years) * YEAR_MS)

    def _machine(self, osd: str) -> Machine:
        return self.cluster.machines[OsdId(int(osd))]

    def _let_run(self, ms: str) -> None:
        self.cluster.world.run(int(ms))

    def _settle(self) -> None:
        if not self.cluster.settle():
            self._printed.append("does not settle")

    def _until(self, kind: str, who: str = "") -> None:
        start = len(self.cluster.told)

        def is_there() -> bool:
            return any(_is(told, kind, who) for told in self.cluster.told[start:])

        if not self.cluster.world.run_until(is_there):
            self._printed.append(f"no {kind} {who}".rstrip())

    def _show(self) -> None:
        for machine in self.cluster.alive():
            self._printed.extend(_describe(machine, self.cluster))

    def _print_news(self) -> None:
        for told in self.cluster.told[self._seen :]:
            position = f"{told.record.topic}@{told.record.offset}"
            self._printed.append(f"{position:<7} {tell(told.event)}")
        self._seen = len(self.cluster.told)
        for ticket in sorted(self._asked.keys() & self.asker.answers.keys()):
            answer = self.asker.answers.pop(ticket)
            self._printed.append(
                f"{self._asked.pop(ticket)}: {self._describe_answer(ticket, answer)}"
            )
        for store in sorted(self.cluster.stopped):
            why = self.cluster.stopped.pop(store)
            self._printed.append(f"osd.{store.osd} stopped: {why}")

    def _describe_answer(self, ticket: Ticket, answer: Answer) -> str:
        match answer:
            case Done():
                return f"v{answer.version}" + (" as before" if answer.is_repeated else "")
            case Found():
                return f"v{answer.entry.version} {self.asker.bytes.pop(ticket).decode()}"
            case Known():
                return f"v{answer.entry.version}"
            case NotFound():
                return "not found"
            case ConditionFailed():
                return f"condition failed, it is at {answer.current}"
            case Unavailable():
                stores = ", ".join(str(store).split("/")[0] for store in answer.stores)
                return f"unavailable, v{answer.version} is only on {stores or 'no store'}"
            case Elsewhere():
                return f"ask {answer.address} of epoch {answer.epoch}"
            case NotNow() | OutcomeUnknown() | Refused():
                return f"{type(answer).__name__}: {answer.why}"
            case UpToDate() | Reserved() | Kept():
                return type(answer).__name__


class _Garbling(Chance):
    """Leaves nothing to chance but what snapshots are damaged by."""

    def __init__(self, before: bytes, after: bytes) -> None:
        super().__init__(None)
        self._before, self._after = before, after

    def damaged(self, data: bytes) -> bytes:
        """The same bytes, but for these."""
        return data.replace(self._before, self._after)


def _options(words: tuple[str, ...]) -> Options:
    """`as r1 at 2 if absent`, `over 500`, `by barrier`."""
    options = Options()
    for word, value in zip(words[::2], words[1::2], strict=True):
        if word == "as":
            options["request"] = value
        elif word == "at":
            options["at"] = OsdId(int(value))
        elif word == "over":
            options["over_ms"] = int(value)
        elif word == "by":
            options["consistency"] = Consistency(value)
        elif value in ("absent", "there"):
            options["condition"] = Condition(
                must_not_exist=value == "absent", must_exist=value == "there"
            )
        else:
            options["condition"] = Condition(match=frozenset({Version(int(value))}))
    return options


def _is(told: Told, kind: str, who: str) -> bool:
    event = told.event
    if type(event).__name__ != kind:
        return False
    store = getattr(event, "store", None) or getattr(getattr(event, "fence", None), "store", None)
    return not who or (store is not None and who == f"osd.{store.osd}")


def _describe(machine: Machine, cluster: Cluster) -> list[str]:
    assert machine.node is not None
    group = machine.node.groups.get(RG)
    copies = [f"v{version}" for version, _ in machine.disk(RG).copies()]
    staged = sum(1 for _ in machine.disk(RG).staged())
    imports = sum(1 for _ in machine.disk(RG).imported())
    arriving = ", something arrives" if machine.node.context.arrivals.is_any(RG) else ""
    if group is None:
        line = f"{machine.address} undef" + (f", copies {' '.join(copies)}" if copies else "")
        return [line + arriving]
    line = f"{machine.address} {'+'.join(group.flags)}, copies {' '.join(copies) or 'none'}"
    if staged or imports:
        line += f", {staged} staged, {imports} imported and not logged"
    if machine.node.context.taken_over:
        line += f", {machine.node.context.taken_over} handed over"
    lines = [line + arriving]
    if group.claims.fence is not None:
        plan = import_plan(group.state, group.table, group.placed)
        lines += [f"  source {_describe_source(source)}" for source in plan]
        lines.append(f"  {explain(RG, group.view, cluster.map).sentence}")
    return lines


def _describe_source(source: Source) -> str:
    remaining = " ".join(f"v{version}" for version in sorted(source.remaining)) or "none"
    strays = " ".join(f"v{version}" for version in sorted(source.strays)) or "none"
    return f"osd.{source.store.osd} {source.state}, remaining {remaining}, strays {strays}"
