"""Errors of the log: the world failed, and here is what to do next.

Rule: an error says in one sentence what happened and in a second what to do.
Expected refusals are returned values, never exceptions; our own mistakes are
asserts. Everybody may import this module.

    OsdlogError
    ├── BadName             a name, id or address that cannot be one
    ├── LogError
    │   ├── LogMissing      there is no log at that address
    │   ├── LogUnavailable  it cannot be reached now; nothing was appended
    │   │   └── LogFull     there is no room for more; it can still be read
    │   ├── LogReadOnly     it is an export: it can be read, and nothing else
    │   ├── AppendUnknown   an append may or may not have happened
    │   ├── LogCorrupt      bytes of the log are damaged
    │   │   └── RecordMissing   a record is not there, though later ones are
    │   ├── LogReplaced     the log is not the one that was read before
    │   └── WrongLog        the log belongs to another cluster or another version
    └── RecordError
        ├── UnknownSchema   a record in a schema that the catalogue lacks
        └── BadRecord       a record that cannot be decoded or folded
"""


class OsdlogError(Exception):
    """Root of every error this project raises: `what` happened, and a `hint` what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}. {self.hint}"


class BadName(OsdlogError):
    """A name, id or address that cannot be one."""


class LogError(OsdlogError):
    """Something is wrong with the log itself."""


class LogMissing(LogError):
    """There is no log at that address."""


class LogUnavailable(LogError):
    """The log cannot be reached or is full; nothing was appended."""


class LogFull(LogUnavailable):
    """There is no room for more; nothing was appended."""


class LogReadOnly(LogError):
    """It is an export of a log: it can be read, and nothing is ever appended."""


class AppendUnknown(LogError):
    """An append may or may not have happened: only reading the log on can tell."""


class LogCorrupt(LogError):
    """Bytes of the log are damaged; the message names the first bad position."""


class RecordMissing(LogCorrupt):
    """A record is not there, though the partition goes on after it."""


class LogReplaced(LogError):
    """The log was truncated or refilled since this reader last saw it."""


class WrongLog(LogError):
    """The log belongs to another cluster, or has a shape this program does not know."""


class RecordError(OsdlogError):
    """One record stops whoever must understand it; the message names its position."""


class UnknownSchema(RecordError):
    """The record's schema fingerprint is in no catalogue."""


class BadRecord(RecordError):
    """The record cannot be decoded, or its fold failed."""
