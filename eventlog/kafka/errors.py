"""What the errors of Kafka's client mean for whoever uses a log.

Rule: no error of the client leaves the logs; each of its classes stands in one
table below, under what it means here. A class that a later client adds counts
as its nearest known parent, and a test names it.

What is not here: what an error means for an append. Whatever was handed to the
client and not acknowledged is unknown, be the error what it may: the client
tries again by itself, and an earlier attempt may have landed.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum

from kafka import errors as client

from eventlog.errors import (
    LogCorrupt,
    LogError,
    LogFull,
    LogMissing,
    LogReplaced,
    LogUnavailable,
    OsdlogError,
    WrongLog,
)
from eventlog.kafka_address import KafkaAddress


class Meaning(Enum):
    """What to tell, and which of our errors says it."""

    UNREACHABLE = "the brokers cannot be reached or do not answer"
    REFUSED = "the brokers do not let us in"
    FEW_REPLICAS = "too few replicas are in sync"
    FULL = "a broker cannot use its disk"
    THROTTLED = "the brokers hold us back"
    MISSING = "there is no such log"
    REPLACED = "the log was truncated or replaced"
    CORRUPT = "bytes of the log are damaged"
    COMPRESSED = "records of the log are compressed, and this program lacks their codec"
    TAKEN = "there is something already"
    UNFIT = "the brokers cannot keep such a log"
    UNEXPECTED = "the brokers answered what they should not"


_KIND: Mapping[Meaning, type[LogError]] = {
    Meaning.UNREACHABLE: LogUnavailable,
    Meaning.REFUSED: LogUnavailable,
    Meaning.FEW_REPLICAS: LogUnavailable,
    Meaning.FULL: LogFull,
    Meaning.THROTTLED: LogUnavailable,
    Meaning.MISSING: LogMissing,
    Meaning.REPLACED: LogReplaced,
    Meaning.CORRUPT: LogCorrupt,
    Meaning.COMPRESSED: WrongLog,
    Meaning.TAKEN: WrongLog,
    Meaning.UNFIT: WrongLog,
    Meaning.UNEXPECTED: LogUnavailable,
}

_HINT: Mapping[Meaning, str] = {
    Meaning.UNREACHABLE: "Check that they run, and the address; OSDs try again by themselves.",
    Meaning.REFUSED: "Check the user, its password and rights, and the certificates.",
    Meaning.FEW_REPLICAS: "Start the brokers that are down; what is read stays readable.",
    Meaning.FULL: "Free space on the broker's disk, or see its own log.",
    Meaning.THROTTLED: "Raise the quota of this user, or wait.",
    Meaning.MISSING: "Check the address, or make the log with `osdlog init`.",
    Meaning.REPLACED: (
        "It was truncated or replaced: check its address; if it is right, rebuild from the log."
    ),
    Meaning.CORRUPT: "Restore the topic from another replica or from a copy of the log.",
    Meaning.COMPRESSED: (
        "Set compression.type=producer on the log's topics; to read what was compressed, install "
        "lz4, python-snappy or zstandard, whichever it is, beside this program."
    ),
    Meaning.TAKEN: "Use another name for the log, or the log that is there.",
    Meaning.UNFIT: "Kafka 2.4 or later is needed; see its own log for what it refused.",
    Meaning.UNEXPECTED: "It is tried again; if it stays, see the brokers' own log.",
}

TABLE: Mapping[Meaning, tuple[type[Exception], ...]] = {
    Meaning.UNREACHABLE: (
        client.RetriableError,
        client.InvalidMetadataError,
        client.BrokerNotAvailableError,
        client.BrokerIdNotRegisteredError,
        client.Cancelled,
        client.EligibleLeadersNotAvailableError,
        client.ElectionNotNeededError,
        client.FencedLeaderEpochError,
        client.KafkaConnectionError,
        client.KafkaTimeoutError,
        client.LeaderNotAvailableError,
        client.ListenerNotFoundError,
        client.MetadataEmptyBrokerList,
        client.NetworkExceptionError,
        client.NewLeaderElectedError,
        client.NodeNotReadyError,
        client.NotControllerError,
        client.NotLeaderForPartitionError,
        client.OffsetNotAvailableError,
        client.PreferredLeaderNotAvailableError,
        client.ReassignmentInProgressError,
        client.ReplicaNotAvailableError,
        client.RequestTimedOutError,
        client.StaleMetadata,
        client.TooManyInFlightRequests,
        client.UnknownBrokerIdError,
        client.UnknownControllerIdError,
        client.UnknownLeaderEpochError,
    ),
    Meaning.REFUSED: (
        client.AuthorizationError,
        client.ClusterAuthorizationFailedError,
        client.DelegationTokenAuthDisabledError,
        client.DelegationTokenAuthorizationFailedError,
        client.DelegationTokenExpiredError,
        client.DelegationTokenNotFoundError,
        client.DelegationTokenOwnerMismatchError,
        client.DelegationTokenRequestNotAllowedError,
        client.GroupAuthorizationFailedError,
        client.IllegalSaslStateError,
        client.InvalidPrincipalTypeError,
        client.PrincipalDeserializationFailureError,
        client.SaslAuthenticationFailedError,
        client.SecurityDisabledError,
        client.TopicAuthorizationFailedError,
        client.TransactionalIdAuthorizationFailedError,
        client.UnacceptableCredentialError,
        client.UnsupportedSaslMechanismError,
    ),
    Meaning.FEW_REPLICAS: (
        client.IneligibleReplicaError,
        client.NotEnoughReplicasAfterAppendError,
        client.NotEnoughReplicasError,
    ),
    Meaning.FULL: (client.KafkaStorageError, client.LogDirNotFoundError),
    Meaning.THROTTLED: (
        client.PolicyViolationError,
        client.QuotaViolationError,
        client.ThrottlingQuotaExceededError,
    ),
    Meaning.MISSING: (
        client.InvalidTopicError,
        client.UnknownTopicIdError,
        client.UnknownTopicOrPartitionError,
    ),
    Meaning.REPLACED: (
        client.InconsistentClusterIdError,
        client.InconsistentTopicIdError,
        client.LogTruncationError,
        client.OffsetMovedToTieredStorageError,
        client.OffsetOutOfRangeError,
        client.PositionOutOfRangeError,
    ),
    Meaning.CORRUPT: (
        client.CorruptRecordError,
        client.InvalidRecordError,
        client.InvalidRecordStateError,
    ),
    Meaning.COMPRESSED: (client.UnsupportedCodecError, client.UnsupportedCompressionTypeError),
    Meaning.TAKEN: (client.DuplicateResourceError, client.TopicAlreadyExistsError),
    Meaning.UNFIT: (
        client.FeatureUpdateFailedError,
        client.IncompatibleBrokerVersion,
        client.InvalidConfigurationError,
        client.InvalidPartitionsError,
        client.InvalidReplicationAssignmentError,
        client.InvalidReplicationFactorError,
        client.InvalidRequiredAcksError,
        client.KafkaConfigurationError,
        client.MessageSizeTooLargeError,
        client.RecordListTooLargeError,
        client.UnrecognizedBrokerVersion,
        client.UnsupportedForMessageFormatError,
        client.UnsupportedVersionError,
    ),
    # Of groups, transactions, quorums, telemetry and mistakes in the protocol: nothing a log asks.
    Meaning.UNEXPECTED: (
        client.KafkaError,
        client.BrokerResponseError,
        client.CommitFailedError,
        client.ConcurrentTransactionsError,
        client.CoordinatorLoadInProgressError,
        client.CoordinatorNotAvailableError,
        client.CorrelationIdError,
        client.DuplicateBrokerRegistrationError,
        client.DuplicateSequenceNumberError,
        client.DuplicateVoterError,
        client.FencedInstanceIdError,
        client.FencedMemberEpochError,
        client.FencedStateEpochError,
        client.FetchSessionIdNotFoundError,
        client.FetchSessionTopicIdError,
        client.GroupIdNotFoundError,
        client.GroupMaxSizeReachedError,
        client.GroupSubscribedToTopicError,
        client.IllegalArgumentError,
        client.IllegalGenerationError,
        client.IllegalStateError,
        client.InconsistentGroupProtocolError,
        client.InconsistentVoterSetError,
        client.InvalidCommitOffsetSizeError,
        client.InvalidFetchRequestError,
        client.InvalidFetchSessionEpochError,
        client.InvalidGroupIdError,
        client.InvalidProducerEpochError,
        client.InvalidProducerIdMappingError,
        client.InvalidReceiveError,
        client.InvalidRegistrationError,
        client.InvalidRequestError,
        client.InvalidSessionTimeoutError,
        client.InvalidShareSessionEpochError,
        client.InvalidTimestampError,
        client.InvalidTransactionTimeoutError,
        client.InvalidTxnStateError,
        client.InvalidUpdateVersionError,
        client.InvalidVoterKeyError,
        client.KafkaProtocolError,
        client.MemberIdRequiredError,
        client.MismatchedEndpointTypeError,
        client.NoError,
        client.NoOffsetForPartitionError,
        client.NoReassignmentInProgressError,
        client.NonEmptyGroupError,
        client.NotCoordinatorError,
        client.OffsetMetadataTooLargeError,
        client.OperationNotAttemptedError,
        client.OutOfOrderSequenceNumberError,
        client.ProducerFencedError,
        client.RebalanceInProgressError,
        client.ResourceNotFoundError,
        client.ShareSessionNotFoundError,
        client.SnapshotNotFoundError,
        client.StaleBrokerEpochError,
        client.StaleControllerEpochError,
        client.StaleMemberEpochError,
        client.TelemetryTooLargeError,
        client.TopicDeletionDisabledError,
        client.TransactionAbortableError,
        client.TransactionAbortedError,
        client.TransactionCoordinatorFencedError,
        client.TransactionalIdNotFoundError,
        client.UnknownError,
        client.UnknownMemberIdError,
        client.UnknownProducerIdError,
        client.UnknownSubscriptionIdError,
        client.UnreleasedInstanceIdError,
        client.UnstableOffsetCommitError,
        client.UnsupportedAssignorError,
        client.UnsupportedEndpointTypeError,
        client.VoterNotFoundError,
    ),
}

MEANINGS: Mapping[type[Exception], Meaning] = {
    kind: meaning for meaning, kinds in TABLE.items() for kind in kinds
}


def meaning_of(error: Exception) -> Meaning:
    """What an error of the client, the network or TLS means."""
    for kind in type(error).__mro__:
        if found := MEANINGS.get(kind):
            return found
    if isinstance(error, ssl.SSLError):
        return Meaning.REFUSED
    return Meaning.UNREACHABLE if isinstance(error, OSError) else Meaning.UNEXPECTED


def explained(error: Exception, address: KafkaAddress) -> LogError:
    """The same as one of our errors, without any secret."""
    meaning = meaning_of(error)
    said = _said(error, address)
    what = f"the log {address.cluster} at {address.brokers}: {meaning.value} ({said})"
    return _KIND[meaning](what, _HINT[meaning])


@contextmanager
def in_our_words(address: KafkaAddress) -> Iterator[None]:
    """What the client raises inside leaves as one of our errors.

    The client also lets plain errors of Python through, such as a ValueError
    for a certificate that cannot be read; our own pass as they are.
    """
    try:
        yield
    except (OsdlogError, AssertionError):
        raise
    except Exception as error:
        raise explained(error, address) from error


def _said(error: Exception, address: KafkaAddress) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if type(error).__name__ in text else f"{type(error).__name__}: {text}"
    for name, value in address.security.items():
        if name.endswith("password") and value:
            text = text.replace(str(value), "***")
    return text[:300]
