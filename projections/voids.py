"""Voids: the rules that make an event, or one item of it, change nothing.

Rule: the set is closed; the audit shows each under the name it has here.
"""

from enum import StrEnum


class Void(StrEnum):
    """Why an event or an item is void. The value is what people read."""

    CLAIM_NOT_NEWER = "claim not newer than the last accepted one"
    FENCED = "fenced: the claim it was said under does not stand"
    CLAIM_ENDED = "its claim had ended"
    OUT_OF_SEQUENCE = "its version is not the next"
    STORE_RETIRED = "its store is retired"
    STATEMENT_NOT_NEWER = "statement not newer than the store's last accepted one"
    FACTS_ARE_LEFT = "facts about the store are left"
    ABOVE_RG_VERSION = "no operation made that version yet"
    BELOW_FACT = "the store is known to have a newer copy"
    NO_SUCH_COPY = "the store is not known to have that copy"
    NO_CHANGE = "known already"
    STORE_IS_PLACED = "the store is placed by the claim"
    NOT_ALL_COUNT = "a placed store's copy does not count"
