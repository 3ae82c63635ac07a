"""Reads at the primary: linearizable, also while importing.

Rule: a read is served once the RG is folded up to where the log ended after
the read arrived; where that is, the log says, or for `barrier` a statement of
the holdings that is appended then and read back, one for all who wait. `local`
reads ask nothing, and wait only where nothing of the RG is folded yet: absence
is no evidence. What is served is the current
version, from this disk if it counts here, else fetched first from any store
that holds it. If none of those is up the answer names them. While a copy here
is known to be bad and the log does not say so yet, its readers wait for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventlog.ids import Version, rg_name
from osd.core.answers import Answer, Found, Known, NotFound, NotNow, Unavailable
from osd.core.inputs import Consistency, Get
from projections.plans import want
from projections.rg_state import Entry

if TYPE_CHECKING:
    from osd.core.group import Group


@dataclass(slots=True)
class _Reading:
    request: Get
    question: int | None
    """Served once this question of the frontier is reached; None: none was asked."""
    statement: int | None
    """Served once this statement of the holdings is read back, or a later one."""


class Readers:
    """The reads of one RG that are waiting."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._waiting: list[_Reading] = []
        self._fetching: dict[Version, list[Get]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits."""
        return not self._waiting and not self._fetching

    @property
    def due(self) -> int | None:
        """When the next client's time is up."""
        waiting = [reading.request.deadline for reading in self._waiting]
        fetching = [r.deadline for requests in self._fetching.values() for r in requests]
        return min([*waiting, *fetching], default=None)

    def ask(self, request: Get) -> None:
        """Take a client's read; it is answered later in this step or a later one."""
        question = statement = None
        if request.consistency is Consistency.LOG:
            question = self._context.frontier.want(self._group.partition)
        elif request.consistency is Consistency.BARRIER:
            statement = self._group.speaker.barrier()
        self._waiting.append(_Reading(request, question, statement))

    def advance(self) -> None:
        """Serve those whose question is reached."""
        if not self._waiting:
            return
        kept = []
        for reading in self._waiting:
            request = reading.request
            if not self._is_ready(reading) or self._is_bad(request) or self._awaits_claim(request):
                kept.append(reading)
            else:
                self._serve(request)
        self._waiting = kept

    def _is_ready(self, reading: _Reading) -> bool:
        group, question = self._group, reading.question
        if group.stuck is not None:
            return True
        if reading.statement is not None:
            return group.speaker.read_back >= reading.statement
        return group.is_begun if question is None else group.is_read_to(question)

    def _is_bad(self, request: Get) -> bool:
        """Whether the copy here counts by the log, and is bad or not there."""
        group, entry = self._group, self._group.table.entry(request.name)
        if request.is_head or entry is None or not entry.counts_at(self._context.me):
            return False
        if group.speaker.is_losing(entry.version):
            return True
        if group.disk.copy_of(entry.version) is not None:
            return False
        group.lose_row(entry.version)
        return True

    def _awaits_claim(self, request: Get) -> bool:
        """Whether what it reads must be fetched first, and no claim allows that yet."""
        group, entry = self._group, self._group.table.entry(request.name)
        if group.importer.is_named or not group.is_primary or entry is None:
            return False
        return not request.is_head and entry.body is not None

    def expire(self) -> None:
        """Answer those whose time is up."""
        now = self._context.now
        for reading in [r for r in self._waiting if r.request.deadline <= now]:
            self._waiting.remove(reading)
            self._context.reply(reading.request.ticket, NotNow(self._why_waiting(reading)))
        for requests in self._fetching.values():
            for request in [r for r in requests if r.deadline <= now]:
                requests.remove(request)
                why = f"{request.name} is being fetched from its holder"
                self._context.reply(request.ticket, NotNow(why))

    def _why_waiting(self, reading: _Reading) -> str:
        statement, group = reading.statement, self._group
        entry = group.table.entry(reading.request.name)
        if entry is not None and group.speaker.is_losing(entry.version):
            return f"a bad copy of {reading.request.name} is here, and the log does not say so yet"
        if statement is None or group.speaker.read_back >= statement:
            return group.why_waiting()
        return f"what was appended to {rg_name(group.rg)} for this read is not read back yet"

    def fetched(self, version: Version) -> None:
        """That version's fetch came to an end, good or not: look again."""
        for request in self._fetching.pop(version, ()):
            self._serve(request, may_fetch=False)

    def _serve(self, request: Get, *, may_fetch: bool = True) -> None:
        group = self._group
        if not group.is_primary:
            self._context.reply(request.ticket, group.not_primary(request.epoch))
            return
        if group.stuck is not None:
            self._context.reply(request.ticket, NotNow(group.why_waiting()))
            return
        entry = group.table.entry(request.name)
        answer = self._look(request, entry)
        if answer is None and entry is not None:
            answer = self._fetch(request, entry, may_fetch=may_fetch)
        if answer is not None:
            self._context.reply(request.ticket, answer)

    def _look(self, request: Get, entry: Entry | None) -> Answer | None:
        """The answer if it can be given from here, else None."""
        group = self._group
        if entry is None or entry.body is None:
            return NotFound(request.name)
        if request.is_head:
            return Known(group.rg, entry)
        if entry.counts_at(self._context.me):
            copy = group.disk.copy_of(entry.version)
        else:
            copy = group.disk.import_of(entry.version)
        return Found(group.rg, entry, copy.body) if copy is not None else None

    def _fetch(self, request: Get, entry: Entry, *, may_fetch: bool) -> Answer | None:
        wanted = want(request.name, entry, self._context.me)
        if wanted is None:
            return Unavailable(request.name, entry.version, entry.holders())
        if not may_fetch:
            trouble = self._group.importer.trouble or "its holder did not give it"
            return NotNow(f"{request.name} could not be fetched: {trouble}")
        if self._group.custody.is_leaving(entry.version):
            return NotNow(f"an old copy of {request.name} is being erased here first", 50)
        if not self._group.importer.fetch_now(wanted):
            return Unavailable(request.name, entry.version, wanted.holders)
        self._fetching.setdefault(entry.version, []).append(request)
        return None
