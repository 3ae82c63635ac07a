"""Errors of a storage node and of its clients; see `eventlog.errors` for the root.

Rule: as there, an error says what happened and what to do next.

    OsdlogError
    ├── DiskError
    │   ├── DiskFull         no room for this write; nothing was written
    │   ├── DiskFailed       the disk refused to read or write
    │   │   └── BytesDamaged what was written is not there, or is other bytes
    │   └── DirectoryRefused the data directory is in use, or another's
    └── RequestError
        ├── Unavailable      nobody can serve this now
        ├── Refused          the answer is no, and says why
        │   └── LayoutPassed the map has another layout than the change was made for
        └── OutcomeUnknown   it may or may not have happened; ask again
"""

from eventlog.errors import OsdlogError


class DiskError(OsdlogError):
    """Something is wrong with this node's own disk."""


class DiskFull(DiskError):
    """There is no room for this write; nothing of it was kept."""


class DiskFailed(DiskError):
    """The disk refused to read or write; what is on it may be well."""


class BytesDamaged(DiskFailed):
    """What was written is missing, cannot be read from the medium, or is other bytes."""


class DirectoryRefused(DiskError):
    """The data directory is in use by a live process, or belongs to another OSD or cluster."""


class RequestError(OsdlogError):
    """A client's request was not served."""


class Unavailable(RequestError):
    """Nobody can serve this now; trying again later may work."""


class Refused(RequestError):
    """The answer is no, and the same request will be refused again."""


class LayoutPassed(Refused):
    """The map came to another layout than the one this change was made for."""


class OutcomeUnknown(RequestError):
    """It may or may not have happened; the same request id asked again tells."""
