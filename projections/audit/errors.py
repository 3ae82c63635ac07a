"""Errors of the audit: what is wrong with its database, or with a question.

Rule: as in `eventlog.errors`, whose tree this extends.

    OsdlogError
    └── AuditError
        ├── AuditBusy       another process is writing or reading it
        ├── AuditForeign    no audit database, or one of another log or version
        └── QueryRefused    a query that is wrong, forbidden, or took too long
"""

from eventlog.errors import OsdlogError


class AuditError(OsdlogError):
    """Something is wrong with the audit database, or with what is asked of it."""


class AuditBusy(AuditError):
    """Another process is writing or reading it."""


class AuditForeign(AuditError):
    """It is no audit database, or one of another log or another version."""


class QueryRefused(AuditError):
    """A query that is wrong, forbidden, or took too long."""
