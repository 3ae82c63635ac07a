"""Client operations at the primary: judged, appended, read back, answered.

Rule: an operation is judged on the folded state only, one at a time per
object. Its version is the next one; its answer is sent after its own event was
read back and folded as accepted. A no is said only once the RG is folded up to
where the log ended after the no was found: a primary that is replaced and has
not heard of it knows an old state. What was appended and not read back is
neither done nor failed until a later claim settles it; a client whose time is
up meanwhile is told that the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventlog.ids import Fence, Serial, Store, Version, osd_name
from eventlog.rg_events import ObjectDeclaredLost, ObjectDeleted, ObjectPut, Operation
from osd.core.answers import (
    AT_THE_LOG,
    Answer,
    ConditionFailed,
    Done,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Refused,
)
from osd.core.effects import Ticket
from osd.core.inputs import AppendFailed, Delete, Put, Staging
from osd.core.reservations import CLAIMED_ANEW, too_few
from osd.disk import Copy, Staged
from projections.replica_group import Folded
from projections.rg_state import Entry, Memo, OpKind

if TYPE_CHECKING:
    from osd.core.group import Group


@dataclass(slots=True)
class _Appended:
    """An operation whose append was sent and which is not read back."""

    request: Put | Delete
    version: Version
    serial: Serial
    ticket: Ticket
    staged: Staged | None
    is_answered: bool = False


@dataclass(slots=True)
class _Waiting:
    """A request that is not judged for good yet."""

    request: Put | Delete
    question: int | None = None
    """It was found to be a no; said once this question of the frontier is reached."""


class Operations:
    """The operations of one RG that are waiting or under way."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._waiting: list[_Waiting] = []
        self._appended: dict[Version, _Appended] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether any operation waits for a claim or for another operation."""
        return bool(self._waiting)

    @property
    def is_appending(self) -> bool:
        """Whether an operation was appended and is not read back."""
        return bool(self._appended)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is waiting or under way."""
        return not self._waiting and not self._appended

    @property
    def due(self) -> int | None:
        """When the next client's time is up."""
        waiting = [waiting.request.deadline for waiting in self._waiting]
        unanswered = [a.request.deadline for a in self._appended.values() if not a.is_answered]
        return min([*waiting, *unanswered], default=None)

    def ask(self, request: Put | Delete) -> None:
        """Take a client's request; it is answered later."""
        self._waiting.append(_Waiting(request))

    def advance(self) -> None:
        """Append what can be, answer what cannot, and give up what is too late."""
        if self._waiting and not self._group.is_primary:
            self._send_away()
        fence = self._group.claims.fence
        if self._waiting and fence is not None and self._group.is_caught_up:
            self._start(fence)

    def expire(self) -> None:
        """Answer those whose time is up."""
        now = self._context.now
        late = [waiting for waiting in self._waiting if waiting.request.deadline <= now]
        self._waiting = [waiting for waiting in self._waiting if waiting not in late]
        for waiting in late:
            self._decline(waiting.request, NotNow(self._group.why_waiting()))
        for appended in self._appended.values():
            if not appended.is_answered and appended.request.deadline <= now:
                appended.is_answered = True
                why = f"the log has not shown version {appended.version} yet"
                self._context.reply(appended.request.ticket, OutcomeUnknown(why))

    def folded(self, event: Operation, folded: Folded) -> None:
        """An operation of this process was folded: answer it if it was accepted."""
        appended = self._appended.get(event.version)
        if appended is None or folded.void is not None:
            return
        del self._appended[event.version]
        self._group.reservations.finish(appended.serial)
        if not appended.is_answered:
            memo = folded.draft.memo
            assert memo is not None
            self._context.reply(
                appended.request.ticket, Done(memo.kind, self._group.rg, memo.version)
            )

    def claim_folded(self) -> None:
        """A claim was accepted: all that was appended before it and not folded is void."""
        for appended in self._appended.values():
            self._never_happened(appended, NotNow("another claim came first", 0))
        self._appended.clear()

    def append_failed(self, failed: AppendFailed) -> None:
        """Some appends failed; if all under way surely did, they are answered at once."""
        mine = [a for a in self._appended.values() if a.ticket in failed.tickets]
        if not mine:
            return
        if not self._surely_failed(failed, len(mine)):
            self._group.claims.doubt()
            return
        for appended in mine:
            no_room = AT_THE_LOG if failed.is_full else ""
            self._never_happened(appended, NotNow(failed.why, 1_000, no_room))
        self._appended.clear()

    def _surely_failed(self, failed: AppendFailed, mine: int) -> bool:
        """Whether nothing under way can be in the log, where it might still be accepted."""
        return not failed.is_unknown and mine == len(self._appended)

    def log_is_full(self, why: str) -> None:
        """Nobody waits for a claim, or for another operation, that cannot be appended."""
        given_up, self._waiting = self._waiting, []
        for waiting in given_up:
            self._decline(waiting.request, NotNow(why, 1_000, AT_THE_LOG))

    def _start(self, fence: Fence) -> None:
        kept = []
        busy = {appended.request.name for appended in self._appended.values()}
        requests = {appended.request.request for appended in self._appended.values()} - {None}
        for waiting in self._waiting:
            request = waiting.request
            if request.name in busy or request.request in requests:
                kept.append(waiting)
                continue
            answer = self._judge(request) or self._too_few(fence, request)
            if answer is None:
                self._append(fence, request)
                requests |= {request.request} - {None}
                busy.add(request.name)
            elif self._is_sure(waiting, answer):
                self._decline(request, answer)
            else:
                kept.append(waiting)
        self._waiting = kept

    def _is_sure(self, waiting: _Waiting, answer: Answer) -> bool:
        """Whether the answer may be said: it is in the log for ever, or the log was asked since."""
        if not isinstance(answer, ConditionFailed | NotFound):
            return True
        if waiting.question is None:
            waiting.question = self._context.frontier.want(self._group.partition)
        return self._group.is_read_to(waiting.question)

    def _judge(self, request: Put | Delete) -> Answer | None:
        """The answer without doing anything, or None if it is to be done."""
        entry = self._group.table.entry(request.name)
        memo = self._remembered(request, entry)
        if memo is not None:
            return self._repeat(request, memo, entry)
        current = entry.version if entry is not None and entry.body is not None else None
        if not request.condition.admits(current):
            return ConditionFailed(current)
        if isinstance(request, Delete) and (current is None or entry is None):
            return NotFound(request.name)
        if isinstance(request, Delete) and entry is not None:
            return self._undeclarable(request, entry)
        return None

    def _undeclarable(self, request: Delete, entry: Entry) -> Answer | None:
        """Why the object cannot be declared lost, or None; what is removed is not asked."""
        declaration, holders = request.declaration, entry.holders()
        if declaration is None or not holders:
            return None
        up = [store for store in holders if self._context.address_of(store) is not None]
        what = f"version {entry.version} of {request.name!r}"
        if up:
            return Refused(
                f"{what} is not lost: a good copy is on {_names(up)}",
                "Read it, or remove it with `osdlog rm`. If you doubt that copy, `osdlog scrub "
                "--deep` reads it and says so where it is bad.",
            )
        if declaration.accepts_loss:
            return None
        return Refused(
            f"{what} is on {_names(holders)}, down but not lost",
            "Bring it back. If its disk is gone for good, retire it (`osdlog map apply --retire "
            "ID`), or declare this one object lost with --accept-loss.",
        )

    def _too_few(self, fence: Fence, request: Put | Delete) -> Answer | None:
        """Why the body is not at enough stores under this fence, or None."""
        if isinstance(request, Delete):
            return None
        staging = request.staging
        if staging is not None and staging.fence != fence:
            return CLAIMED_ANEW
        stores = self._stores(request)
        wanted = self._context.map.min_replicas
        if len(stores) >= wanted:
            return None
        trouble = f": {staging.trouble}" if staging is not None and staging.trouble else ""
        no_room = self._no_room(staging, wanted) if staging is not None else ""
        return too_few(stores, wanted, f"got the body{trouble}", no_room)

    def _no_room(self, staging: Staging, wanted: int) -> str:
        """Where there must be room first; nothing if without those there are stores enough."""
        full = staging.full
        if not full or len(self._group.acting) - len(full) >= wanted:
            return ""
        return f"on {' and '.join(osd_name(store.osd) for store in full)}, or delete objects"

    def _stores(self, put: Put) -> tuple[Store, ...]:
        return (self._context.me, *(put.staging.peers if put.staging is not None else ()))

    def _remembered(self, request: Put | Delete, entry: Entry | None) -> Memo | None:
        """The operation that was done under this request id, if it is remembered."""
        if request.request is None:
            return None
        memo = self._group.table.memo(request.request)
        if memo is None and entry is not None and entry.last.request == request.request:
            return entry.last
        return memo

    def _repeat(self, request: Put | Delete, memo: Memo, entry: Entry | None) -> Answer:
        """What was done stands, unless this is seen to be another request."""
        kind = OpKind.PUT if isinstance(request, Put) else OpKind.DELETE
        if (memo.kind, memo.object) != (kind, request.name):
            return Refused(
                f"request id {request.request} was used for another request: "
                f"{memo.kind.name.lower()} of {memo.object}"
            )
        if isinstance(request, Put) and _has_other_bytes(request, memo, entry):
            return Refused(
                f"request id {request.request} was used for another request: "
                f"put of {memo.object} with other bytes"
            )
        return Done(memo.kind, self._group.rg, memo.version, is_repeated=True)

    def _append(self, fence: Fence, request: Put | Delete) -> None:
        version = Version(self._group.state.version + len(self._appended) + 1)
        staging = request.staging if isinstance(request, Put) else None
        serial = staging.serial if staging is not None else self._context.serial()
        event: Operation
        if isinstance(request, Put):
            staged = self._stage(fence, serial, request)
            event = self._put_event(fence, serial, version, request)
        else:
            staged = None
            event = self._end_event(fence, serial, version, request)
        ticket = self._context.append(event)
        self._appended[version] = _Appended(request, version, serial, ticket, staged)

    def _stage(self, fence: Fence, serial: Serial, request: Put) -> Staged:
        body = self._group.keep_payload(request.payload)
        staged = Staged(fence, serial, Copy(request.name, request.size, request.sha256, body))
        self._group.disk.stage(staged)
        return staged

    def _end_event(
        self, fence: Fence, serial: Serial, version: Version, request: Delete
    ) -> ObjectDeleted | ObjectDeclaredLost:
        if request.declaration is None:
            return ObjectDeleted(
                rg=self._group.rg,
                time=self._context.clock.micros,
                fence=fence,
                serial=serial,
                object=request.name,
                version=version,
                request=request.request,
                actor=request.actor,
            )
        entry = self._group.table.entry(request.name)
        assert entry is not None
        return ObjectDeclaredLost(
            rg=self._group.rg,
            time=self._context.clock.micros,
            fence=fence,
            object=request.name,
            version=version,
            lost_version=entry.version,
            reason=request.declaration.reason,
            actor=request.actor,
        )

    def _put_event(self, fence: Fence, serial: Serial, version: Version, request: Put) -> ObjectPut:
        return ObjectPut(
            rg=self._group.rg,
            time=self._context.clock.micros,
            fence=fence,
            serial=serial,
            object=request.name,
            version=version,
            size=request.size,
            sha256=request.sha256,
            media_type=request.media_type,
            metadata=dict(request.metadata),
            stores=self._stores(request),
            request=request.request,
            actor=request.actor,
        )

    def _never_happened(self, appended: _Appended, answer: Answer) -> None:
        if not appended.is_answered:
            self._context.reply(appended.request.ticket, answer)
        if appended.staged is not None:
            self._group.custody.never_appended(appended.staged)
        self._group.reservations.finish(appended.serial)

    def _decline(self, request: Put | Delete, answer: Answer) -> None:
        """Answer without an append; a body that came along is staged nowhere and goes."""
        if isinstance(request, Put) and isinstance(request.payload, str):
            self._context.effects.unlink.append(request.payload)
        if isinstance(request, Put) and request.staging is not None:
            self._group.reservations.finish(request.staging.serial)
        self._context.reply(request.ticket, answer)

    def _send_away(self) -> None:
        for waiting in self._waiting:
            self._decline(waiting.request, self._group.not_primary(waiting.request.epoch))
        self._waiting = []


def _has_other_bytes(put: Put, memo: Memo, entry: Entry | None) -> bool:
    """Whether the put that is remembered had another body; False once that was replaced."""
    if entry is None or entry.body is None or entry.version != memo.version:
        return False
    return (entry.body.size, entry.body.sha256) != (put.size, put.sha256)


def _names(stores: Sequence[Store]) -> str:
    return " and ".join(map(str, stores))
