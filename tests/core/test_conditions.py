"""Conditions of requests: what must be true of an object for an operation to be done."""

import pytest

from eventlog.ids import Version
from osd.core.inputs import ALWAYS, Condition


def versions(*numbers: int) -> frozenset[Version]:
    return frozenset(map(Version, numbers))


# A condition; whether it admits no object, one at version 3, one at version 4.
CASES = [
    (ALWAYS, (True, True, True)),
    (Condition(), (True, True, True)),
    (Condition(must_exist=True), (False, True, True)),
    (Condition(must_not_exist=True), (True, False, False)),
    (Condition(must_exist=True, must_not_exist=True), (False, False, False)),
    (Condition(match=versions(3)), (False, True, False)),
    (Condition(match=versions(3, 4)), (False, True, True)),
    (Condition(match=versions()), (False, False, False)),
    (Condition(none_match=versions(3)), (True, False, True)),
    (Condition(none_match=versions(3, 4)), (True, False, False)),
    (Condition(match=versions(3), none_match=versions(3)), (False, False, False)),
    (Condition(match=versions(3), none_match=versions(4)), (False, True, False)),
    (Condition(must_exist=True, match=versions(4)), (False, False, True)),
    (Condition(must_exist=True, none_match=versions(4)), (False, True, False)),
    (Condition(must_not_exist=True, match=versions(3)), (False, False, False)),
    (Condition(must_not_exist=True, none_match=versions(9)), (True, False, False)),
]


@pytest.mark.parametrize(("condition", "admitted"), CASES, ids=str)
def test_admits(condition: Condition, admitted: tuple[bool, bool, bool]) -> None:
    found = tuple(condition.admits(current) for current in (None, Version(3), Version(4)))
    assert found == admitted
