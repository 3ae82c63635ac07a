"""Every error that Kafka's client can raise is one of ours, and says what to do."""

import importlib
import pkgutil
import ssl
from collections.abc import Iterator

import kafka
import pytest
from kafka import errors as client

from eventlog import errors
from eventlog.errors import BadName, LogError, LogUnavailable, OsdlogError
from eventlog.kafka.errors import MEANINGS, TABLE, explained, in_our_words, meaning_of
from eventlog.kafka_address import parse_kafka

LOGIN = "security_protocol=SASL_SSL&sasl_plain_password=hunter2&sasl_plain_username=ann"
ADDRESS = parse_kafka(f"kafka://h:1/c?{LOGIN}", {})


def client_errors() -> Iterator[type[Exception]]:
    """Every exception class of the package, wherever in it: all that may come out."""
    for module in pkgutil.walk_packages(kafka.__path__, "kafka."):
        if not any(part in module.name for part in (".benchmarks", ".cli", "__main__", ".vendor")):
            importlib.import_module(module.name)
    yield client.KafkaError
    waiting: list[type[Exception]] = [client.KafkaError]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind.__module__.startswith("kafka."):
                waiting.append(kind)
                yield kind


ELSEWHERE = {
    # Of old record formats, of groups, and for numbers that the client does not know either: they
    # count as their parents, which are in the table.
    "RecordTooLargeError",
    "UnjoinedGroupException",
    "UnrecognizedBrokerError",
}


def test_no_class_of_the_client_is_unmapped() -> None:
    found = {kind for kind in client_errors() if kind.__name__ not in ELSEWHERE}
    assert len(found) > 130
    mapped = set(MEANINGS)
    assert sorted(kind.__name__ for kind in found - mapped) == []
    assert sorted(kind.__name__ for kind in mapped - found) == [], "no longer there"


def test_no_class_stands_twice() -> None:
    assert sum(map(len, TABLE.values())) == len(MEANINGS)


@pytest.mark.parametrize("kind", sorted(MEANINGS, key=str))
def test_each_becomes_an_error_with_a_hint(kind: type[Exception]) -> None:
    error = kind({}) if kind is client.LogTruncationError else kind("hunter2 it was")
    ours = explained(error, ADDRESS)
    assert isinstance(ours, LogError)
    assert ours.what.startswith("the log c at h:1: ")
    assert kind.__name__ in ours.what
    assert ours.hint.endswith(".")
    assert "hunter2" not in str(ours)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client.KafkaTimeoutError("no"), errors.LogUnavailable),
        (client.NotEnoughReplicasError("no"), errors.LogUnavailable),
        (client.SaslAuthenticationFailedError("no"), errors.LogUnavailable),
        (client.KafkaStorageError("no"), errors.LogFull),
        (client.OffsetOutOfRangeError("no"), errors.LogReplaced),
        (client.LogTruncationError({}), errors.LogReplaced),
        (client.CorruptRecordError("no"), errors.LogCorrupt),
        (client.UnknownTopicOrPartitionError("no"), errors.LogMissing),
        (client.TopicAlreadyExistsError("no"), errors.WrongLog),
        (client.UnsupportedVersionError("no"), errors.WrongLog),
        (client.for_code(9_999)("no"), errors.LogUnavailable),
        (ConnectionRefusedError("no"), errors.LogUnavailable),
        (ssl.SSLCertVerificationError("no"), errors.LogUnavailable),
        (ValueError("no"), errors.LogUnavailable),
    ],
)
def test_what_they_become(error: Exception, kind: type[LogError]) -> None:
    assert type(explained(error, ADDRESS)) is kind


def test_a_class_that_is_new_counts_as_its_parent() -> None:
    class Newer(client.NotLeaderForPartitionError):  # type: ignore[misc]
        pass

    assert meaning_of(Newer()) is MEANINGS[client.NotLeaderForPartitionError]


def test_only_what_is_not_ours_is_put_in_our_words() -> None:
    with pytest.raises(LogUnavailable, match="KafkaTimeoutError"), in_our_words(ADDRESS):
        raise client.KafkaTimeoutError("no answer")
    ours: OsdlogError = BadName("a", "b")
    with pytest.raises(BadName) as caught, in_our_words(ADDRESS):
        raise ours
    assert caught.value is ours
    with pytest.raises(AssertionError), in_our_words(ADDRESS):
        raise AssertionError("our own mistake")
