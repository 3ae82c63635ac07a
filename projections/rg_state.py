"""The state of a replica group: what its log says, as values.

Rule: everything here is frozen; only `projections.replica_group` makes the
next state. Objects are not in `RgState`: they are rows that the fold reads
through `RgRows`, so that a node's memory does not grow with what it holds.

What is not here: states by name such as `clean` (see `projections.states`),
which depend on the map and on who asks.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Protocol

import msgspec

from eventlog.ids import Boot, Fence, Micros, Offset, Serial, StatementNumber, Store, Version
from projections.holdings import NOTHING, Holdings

REMEMBERED_REQUESTS = 1_000
"""An RG remembers the request ids of its last operations, this many versions back."""


class Status(IntEnum):
    """What the log says of one copy. Only a held one counts."""

    HELD = 1
    DOOMED = 2
    LOST = 3


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One store's copy of one object. A held copy is always of the current version."""

    store: Store
    version: Version
    status: Status


class Body(msgspec.Struct, frozen=True, array_like=True):
    """What a live object is."""

    size: int
    sha256: bytes
    media_type: str | None
    metadata: dict[str, str]


class OpKind(IntEnum):
    """The kinds of operations."""

    PUT = 1
    DELETE = 2
    DECLARED_LOST = 3


class Memo(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of an operation, to answer the same request again."""

    kind: OpKind
    object: str
    version: Version
    request: str | None


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An object: its last operation, its body if it lives, and every fact about it.

    Without a body it is a tombstone, which stays until no fact is left.
    """

    version: Version
    body: Body | None
    facts: tuple[Fact, ...]
    last: Memo
    time: Micros
    actor: str | None

    def fact_of(self, store: Store) -> Fact | None:
        """What this store has of the object."""
        for fact in self.facts:
            if fact.store == store:
                return fact
        return None

    def counts_at(self, store: Store) -> bool:
        """Whether the store's copy counts: held, hence current."""
        fact = self.fact_of(store)
        return fact is not None and fact.status is Status.HELD

    def holders(self) -> tuple[Store, ...]:
        """The stores whose copies count."""
        return tuple(fact.store for fact in self.facts if fact.status is Status.HELD)

    @property
    def is_unheld(self) -> bool:
        """Whether it lives, but no copy counts."""
        if self.body is None:
            return False
        for fact in self.facts:  # noqa: SIM110 - every fold of a put asks this twice
            if fact.status is Status.HELD:
                return False
        return True


class Stated(msgspec.Struct, frozen=True, array_like=True):
    """A store's last `HoldingsStated`."""

    offset: Offset
    version: Version
    answers: Fence | None
    staged_from: Serial | None
    attests: bool
    """Whether no operation after `version` named this store."""
    agrees: bool
    """Whether its holdings were those of this fold; meaningful where it attests."""


class Ledger(msgspec.Struct, frozen=True, array_like=True):
    """What an RG's log says of one store, in numbers."""

    boot: Boot = Boot(0)
    n: StatementNumber = StatementNumber(0)
    """(boot, n) of its last accepted statement."""
    held: int = 0
    doomed: int = 0
    lost: int = 0
    holdings: Holdings = NOTHING
    """Of all its facts, whatever their status."""
    named: Version = Version(0)
    """The last put that listed this store."""
    stated: Stated | None = None
    closed: Offset | None = None
    """Where it said that nothing is left; None once it has a fact again."""

    @property
    def facts(self) -> int:
        """Copies of any status."""
        return self.holdings.count


class Claim(msgspec.Struct, frozen=True, array_like=True):
    """The last accepted claim."""

    fence: Fence
    placed: tuple[Store, ...]
    replicas: int
    min_replicas: int
    rules: int
    offset: Offset
    has_ended: bool = False
    """It ended at its first operation out of sequence."""

    def gives(self, fence: Fence) -> bool:
        """Whether this very fence is the claim's: each of its parts tells two processes apart."""
        return self.fence == fence


class RgState(msgspec.Struct, frozen=True, array_like=True):
    """What an RG's log says, but for its objects."""

    version: Version = Version(0)
    claim: Claim | None = None
    live: int = 0
    tombstones: int = 0
    size: int = 0
    """Bytes of live objects, one copy each."""
    unheld: int = 0
    """Live objects without any copy that counts."""
    ledgers: Mapping[Store, Ledger] = {}
    retired: tuple[Store, ...] = ()
    voids: int = 0
    """Events that were void as a whole."""

    def ledger(self, store: Store) -> Ledger:
        """What the log says of one store."""
        return self.ledgers.get(store, NO_LEDGER)

    def stands(self, fence: Fence) -> bool:
        """Whether this fence is the standing one."""
        claim = self.claim
        return claim is not None and not claim.has_ended and claim.gives(fence)

    @property
    def standing(self) -> Claim | None:
        """The claim that stands, if one does."""
        return self.claim if self.claim and not self.claim.has_ended else None

    @property
    def holders(self) -> tuple[Store, ...]:
        """Stores with any fact, in order."""
        return tuple(sorted(s for s, ledger in self.ledgers.items() if ledger.facts))


NO_LEDGER = Ledger()
EMPTY = RgState()


class RgRows(Protocol):
    """An RG's objects, as its fold and its readers see them before the next event."""

    def entry(self, name: str) -> Entry | None:
        """The object of that name, or None where nothing is known of it."""
        ...

    def name_of(self, version: Version) -> str | None:
        """The object that a remembered version belongs to.

        A version is remembered while it is an entry's own or a fact has it.
        """
        ...

    def is_bare(self, store: Store, version: Version) -> bool:
        """Whether the store has a copy of a version that is no longer remembered."""
        ...

    def memo(self, request: str) -> Memo | None:
        """The remembered operation with that request id."""
        ...

    def facts_of(
        self, store: Store, after: Version = Version(0)
    ) -> Iterator[tuple[Version, str | None]]:
        """The store's copies by ascending version above `after`; None where it is bare."""
        ...

    def names(self, after: str = "", prefix: str = "") -> Iterator[tuple[str, Entry]]:
        """Objects and tombstones in the order of their names' UTF-8, above `after`."""
        ...
