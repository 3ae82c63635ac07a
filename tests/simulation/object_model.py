"""What one object does to those who use it one at a time: the model of linearizability.

Rule: a put makes it the value it names, under a version above every one before;
a delete leaves nothing; whoever looks sees the value, the version, or both,
and a condition holds in the very state in which its operation is done.

What is not here: how calls overlap (see `simulation.linearizability`).
"""

from collections.abc import Iterator
from typing import NamedTuple

from osd.core.inputs import ALWAYS, Condition

Value = str
"""Names what was put: no two puts put the same."""


class Put(NamedTuple):
    """A put; `version` is None where nobody heard what it became."""

    value: Value
    version: int | None
    condition: Condition = ALWAYS


class Delete(NamedTuple):
    """A delete of an object that was there; see `Put`."""

    version: int | None
    condition: Condition = ALWAYS


class Look(NamedTuple):
    """Somebody saw this version, this value, or both; or, if both are None, no object."""

    version: int | None
    value: Value | None = None


Did = Put | Delete | Look


class Object(NamedTuple):
    """The object between two calls."""

    value: Value | None = None
    """None: there is no object."""
    version: int | None = None
    """Of the value; None where nobody has told it yet."""
    newest: int = 0
    """The highest version told so far: the next one is above it."""


ABSENT = Object()


def steps(state: Object, did: Did) -> Iterator[Object]:
    """The states that the call may leave; none where it cannot have been done here."""
    match did:
        case Put():
            if _may_admit(state, did.condition) and _is_next(state, did.version):
                yield Object(did.value, did.version, did.version or state.newest)
        case Delete():
            is_there = state.value is not None and _may_admit(state, did.condition)
            if is_there and _is_next(state, did.version):
                yield Object(None, None, did.version or state.newest)
        case Look():
            yield from _look(state, did)


def _look(state: Object, look: Look) -> Iterator[Object]:
    if look.version is None and look.value is None:
        if state.value is None:
            yield state
        return
    if state.value is None or look.value not in (None, state.value):
        return
    if look.version is None:
        yield state
        return
    if state.version == look.version or (state.version is None and look.version > state.newest):
        yield Object(state.value, look.version, max(look.version, state.newest))


def _is_next(state: Object, version: int | None) -> bool:
    return version is None or version > state.newest


def _may_admit(state: Object, condition: Condition) -> bool:
    """Whether the condition may hold: a version that nobody told may be any above the newest."""
    if condition == ALWAYS:
        return True
    if state.value is None or state.version is not None:
        return condition.admits(state.version if state.value is not None else None)  # type: ignore[arg-type]
    if condition.must_not_exist:
        return False
    return condition.match is None or any(version > state.newest for version in condition.match)
