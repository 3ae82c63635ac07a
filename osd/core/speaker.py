"""Statements: what this store says about its own copies of one RG.

Rule: statements are numbered, and one is under way at a time. After a start,
and after an append with an unknown outcome, the first is `HoldingsStated`;
read back, it settles the rest: whatever was said before it is folded or void
for ever. What differs then between the disk and the log is said at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from eventlog.ids import Boot, Micros, RgId, Serial, StatementNumber, Store, Version
from eventlog.rg_events import (
    MAX_ITEMS,
    CopiesErased,
    CopiesLost,
    ExportClosed,
    HoldingsStated,
    ObjectsImported,
    Statement,
)
from osd.core.effects import Ticket
from osd.disk import Body
from projections.rg_state import Status

if TYPE_CHECKING:
    from osd.core.group import Group

IMPORTED_TOGETHER = 100
"""Said in one event, which every node of the RG folds in one go while clients wait."""


class _Head(TypedDict):
    """The fields that every statement begins with."""

    rg: RgId
    time: Micros
    store: Store
    boot: Boot
    n: StatementNumber


class Speaker:
    """This process's statements about one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._ticket: Ticket | None = None
        self._under_way: Statement | None = None
        self._has_stated = False
        """Whether `HoldingsStated` was read back since the start or the last doubt."""
        self._must_settle: bool | None = None
        """Whether something said before may be outstanding; None until caught up."""
        self._is_asked = False
        self._wanted_at: int | None = None
        """Somebody wants the holdings as of this question about the log's end, or a later one."""
        self._begun = 0
        """How often the holdings were stated since the RG is followed."""
        self.read_back = 0
        """The last of these that was read back."""
        self._has_compared = False
        """Whether the disk was compared with the log since the start or the last doubt."""
        self._may_have_unknown = False
        """Whether the disk was seen to have what the log does not know of."""
        self._is_unclean = False
        """Whether the holdings were stated while bytes of the past were here or on their way."""
        self._retry_at = 0
        self._imported: dict[Store | None, set[Version]] = {}
        self._erased: set[Version] = set()
        self._lost: dict[Version, Body] = {}
        """Where the bytes are that were found bad: another body may have replaced them."""
        self._gone: set[Version] = set()

    @property
    def is_settled(self) -> bool:
        """Whether every statement of this store about this RG is folded or void for ever."""
        is_sure = self._has_stated or self._must_settle is False
        return is_sure and self._under_way is None

    def ready_to_erase(self) -> bool:
        """Settled, and the holdings were stated since the start, so that they agreed with the log.

        Where they were not, they will be: whoever asks has something to erase.
        """
        self._is_asked = not self._has_stated
        return self._has_stated and self._under_way is None

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for the holdings."""
        return self._wanted_at is not None

    @property
    def is_silent(self) -> bool:
        """Settled, and nothing waits to be said."""
        return self.is_settled and not self._has_news()

    @property
    def has_said_nothing(self) -> bool:
        """Whether nothing was said since the RG is followed, and nothing waits to be said."""
        return self._ticket is None and not self._has_news()

    @property
    def knows_disk(self) -> bool:
        """Whether the disk was compared with the log, and every loss known here is in the log."""
        is_telling = isinstance(self._under_way, CopiesLost)
        return self._has_compared and not (self._lost or self._gone or is_telling)

    @property
    def due(self) -> int | None:
        """When a failed statement is tried again."""
        return self._retry_at if self._retry_at > self._context.now else None

    def imported(self, version: Version, source: Store | None) -> None:
        """A copy of this version is durable here."""
        self._imported.setdefault(source, set()).add(version)

    def withdraw(self, version: Version) -> bool:
        """Do not say that this version was imported; False where that is under way."""
        for versions in self._imported.values():
            versions.discard(version)
        return not self.is_saying(version)

    def erased(self, versions: list[Version]) -> None:
        """These copies' bytes are gone from here."""
        self._erased.update(versions)

    def lost(self, version: Version, body: Body) -> None:
        """The copy of this version, kept in that body, is bad or could not be read."""
        self._lost[version] = body

    def gone(self, version: Version) -> None:
        """The log counts this version here, and no row has it."""
        self._gone.add(version)

    def want_holdings(self) -> None:
        """State them once the RG is read as far as the log goes now, be they stated or not."""
        self._wanted_at = self._context.frontier.want(self._group.partition)

    def barrier(self) -> int:
        """State the holdings; what `read_back` then comes to."""
        self.want_holdings()
        return self._begun + 1

    def doubt_disk(self) -> None:
        """The disk was seen to differ from the log: compare them anew."""
        self._has_compared, self._may_have_unknown = False, True

    def is_losing(self, version: Version) -> bool:
        """Whether the copy of this version is known to be bad, and the log does not say so yet."""
        under_way = self._under_way
        if isinstance(under_way, CopiesLost) and version in under_way.versions:
            return True
        if version in self._gone:
            return True
        return version in self._lost and self._is_held_as(version, self._lost[version])

    def is_saying(self, version: Version) -> bool:
        """Whether an import of this version is about to be said or under way."""
        under_way = self._under_way
        if isinstance(under_way, ObjectsImported) and version in under_way.versions:
            return True
        return any(version in versions for versions in self._imported.values())

    def advance(self) -> None:
        """Say the next thing that is to be said."""
        if self._under_way is not None or not self._group.is_caught_up:
            return
        if self._context.now < self._retry_at:
            return
        if self._must_settle is None:
            self._must_settle = self._may_have_spoken()
        self._look_again()
        if self.is_silent:
            self._compare()
        if not self._has_stated:
            if self._must_settle or self._is_asked or self._has_news() or self._owes_answer():
                self._say_holdings()
        elif not self._say_changes() and self._owes_answer():
            self._say_holdings()

    def close(self) -> None:
        """Say that nothing of this RG is left here; asked for only when silent."""
        assert self.is_silent
        self._say(ExportClosed(**self._head()))

    def append_failed(self, ticket: Ticket) -> None:
        """Its outcome is unknown: state the holdings again, then compare."""
        if ticket != self._ticket:
            return
        self._lose_again(self._under_way)
        self._under_way = None
        self._has_stated, self._must_settle, self._has_compared = False, True, False
        self._retry_at = self._context.now + self._context.settings.retry_ms
        self._imported, self._erased, self._gone = {}, set(), set()

    def folded(self, event: Statement) -> None:
        """A statement of this store and boot was folded, accepted or not."""
        if self._under_way is None or event.n != self._under_way.n:
            return
        self._under_way = None
        if not isinstance(event, HoldingsStated):
            return
        self.read_back = self._begun
        if not self._has_stated:
            self._has_stated = True
            for version, _ in list(self._group.disk.imported()):
                if not self.is_saying(version):
                    self._group.custody.judge_import(version)

    def _look_again(self) -> None:
        """What was to be said may be over by now."""
        if self._is_unclean and not self._group.custody.has_outlived:
            self._is_unclean = False
            self.want_holdings()
        if self._lost:
            self._lost = {v: body for v, body in self._lost.items() if self._is_held_as(v, body)}
        if self._gone:
            self._gone = {version for version in self._gone if self._is_missing(version)}

    def _lose_again(self, failed: Statement | None) -> None:
        """No comparison would find again that bytes are bad, so that is not forgotten."""
        if isinstance(failed, CopiesLost) and not failed.gone:
            copies = ((version, self._group.disk.copy_of(version)) for version in failed.versions)
            self._lost.update({version: copy.body for version, copy in copies if copy})

    def _is_held_as(self, version: Version, body: Body) -> bool:
        """Whether the log counts the copy of this version, and it is kept in that body."""
        copy = self._group.disk.copy_of(version)
        return copy is not None and copy.body == body and self._group.holds(version)

    def _is_missing(self, version: Version) -> bool:
        """Whether the log knows of a copy here of which there is no row: it may be back since."""
        is_here = self._group.disk.copy_of(version) is not None
        return not is_here and self._group.own_fact(version) is not None

    def _may_have_spoken(self) -> bool:
        """Whether an earlier process may have said what is not read back yet.

        All that a store can say is about facts it has, or bytes it has here.
        """
        group = self._group
        return bool(group.ledger.facts or group.disk.holdings.count or group.disk.has_unlogged())

    def _has_news(self) -> bool:
        return bool(self._erased or self._lost or self._gone or any(self._imported.values()))

    def _owes_answer(self) -> bool:
        """A store outside placed with facts answers each claim once, and any store who asks it."""
        if self._wanted_is_read:
            return True
        claim = self._group.state.standing
        ledger = self._group.ledger
        if claim is None or self._context.me in claim.placed or not ledger.facts:
            return False
        return ledger.stated is None or ledger.stated.answers != claim.fence

    @property
    def _wanted_is_read(self) -> bool:
        return self._wanted_at is not None and self._group.is_read_to(self._wanted_at)

    def _say_holdings(self) -> None:
        group = self._group
        self._begun += 1
        if self._wanted_is_read:
            self._wanted_at = None  # if this fails the next is made by itself
        claim = group.state.standing
        is_source = claim is not None and self._context.me not in claim.placed
        self._is_unclean = group.custody.has_outlived
        self._say(
            HoldingsStated(
                **self._head(),
                version=group.state.version,
                staged_from=self._staged_from(),
                answers=claim.fence if claim is not None and is_source else None,
                count=group.disk.holdings.count,
                digest=group.disk.holdings.digest_bytes(),
            )
        )

    def _staged_from(self) -> Serial | None:
        if self._is_unclean:
            return Serial(0)
        return min((staged.serial for staged in self._group.disk.staged()), default=None)

    def _say_changes(self) -> bool:
        if self._erased:
            self._say(CopiesErased(**self._head(), versions=_batch(self._erased)))
            return True
        for source, versions in self._imported.items():
            if versions:
                self._say_imported(source, versions)
                return True
        if self._gone:
            self._say_lost(_batch(self._gone), is_gone=True)
        elif self._lost:
            chosen = tuple(sorted(self._lost)[:MAX_ITEMS])
            self._lost = {v: body for v, body in self._lost.items() if v not in chosen}
            self._say_lost(chosen, is_gone=False)
        else:
            return False
        return True

    def _say_lost(self, versions: tuple[Version, ...], *, is_gone: bool) -> None:
        why = "not on the disk" if is_gone else "damaged or unreadable"
        self._say(CopiesLost(**self._head(), versions=versions, gone=is_gone, why=why))

    def _say_imported(self, source: Store | None, versions: set[Version]) -> None:
        claim = self._group.state.standing
        self._say(
            ObjectsImported(
                **self._head(),
                versions=_batch(versions, IMPORTED_TOGETHER),
                serves=claim.fence if claim else None,
                source=source,
            )
        )

    def _say(self, statement: Statement) -> None:
        self._under_way = statement
        self._ticket = self._context.append(statement)

    def _head(self) -> _Head:
        return {
            "rg": self._group.rg,
            "time": self._context.clock.micros,
            "store": self._context.me,
            "boot": self._context.boot,
            "n": self._context.statement_number(),
        }

    def _compare(self) -> None:
        """Note how the disk differs from the log; asked for only when silent."""
        self._has_compared = True
        group = self._group
        if self._may_have_unknown:
            self._may_have_unknown = False
            self._own_up()
        if group.disk.holdings == group.ledger.holdings:
            return
        for version, name in group.table.facts_of(self._context.me):
            if group.disk.copy_of(version) is None:
                entry = group.table.entry(name) if name is not None else None
                fact = entry.fact_of(self._context.me) if entry else None
                is_doomed = fact is None or fact.status is Status.DOOMED
                (self._erased if is_doomed else self._gone).add(version)

    def _own_up(self) -> None:
        """Say what is here and the log does not know of: it then counts, or is doomed."""
        known = {version for version, _ in self._group.table.facts_of(self._context.me)}
        for version, _ in self._group.disk.copies():
            if version not in known and self._context.me not in self._group.state.retired:
                self.imported(version, None)


def _batch(versions: set[Version], most: int = MAX_ITEMS) -> tuple[Version, ...]:
    """Take the lowest versions out, no more than these, as many as one event may list."""
    chosen = sorted(versions)[:most]
    versions.difference_update(chosen)
    return tuple(chosen)
