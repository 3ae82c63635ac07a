"""Addresses of logs on Kafka: what is read, what is refused, and that secrets stay hidden."""

import pytest

from eventlog.errors import BadName
from eventlog.kafka_address import OPTIONS, parse_kafka, secrets_in, variable, without_secrets

SECRET = "hunter2&more"
QUOTED = "hunter2%26more"


def test_servers_and_the_cluster_are_read() -> None:
    address = parse_kafka("kafka://a.example:9092,10.0.0.2:9093,[::1]:9094/my-log.1", {})
    assert address.servers == ("a.example:9092", "10.0.0.2:9093", "[::1]:9094")
    assert address.cluster == "my-log.1"
    assert address.security == {}
    assert address.url == "kafka://a.example:9092,10.0.0.2:9093,[::1]:9094/my-log.1"


def test_options_come_from_the_address_before_the_environment() -> None:
    environment = {
        variable("security_protocol"): "PLAINTEXT",
        variable("ssl_check_hostname"): "no",
        variable("replication_factor"): "2",
        "OSDLOG_KAFKA_OF_ANOTHER": "x",
    }
    address = parse_kafka("kafka://h:1/c?security_protocol=SSL&min_insync_replicas=1", environment)
    assert address.security == {"security_protocol": "SSL", "ssl_check_hostname": False}
    assert (address.replication_factor, address.min_insync_replicas) == (2, 1)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("kafka://h:1", "'' cannot be the name of a log"),
        ("kafka://h:1/", "'' cannot be the name of a log"),
        ("kafka://h:1/a/b", "'a/b' cannot be the name of a log"),
        ("kafka://h:1/.a", "'.a' cannot be the name of a log"),
        ("kafka://h:1/" + "a" * 201, "cannot be the name of a log"),
        ("kafka://h/c", "'h' is not a broker"),
        ("kafka://h:0/c", "'h:0' is not a broker"),
        ("kafka://h:65536/c", "'h:65536' is not a broker"),
        ("kafka://h:1,/c", "'' is not a broker"),
        ("kafka:///c", "'' is not a broker"),
        ("kafka:h:1/c", "is not the address of a log on Kafka"),
        ("kafka://h:1/c?acks=1", "'acks' is not an option"),
        ("kafka://h:1/c?replication_factor=0", "replication_factor cannot be '0'"),
        ("kafka://h:1/c?ssl_check_hostname=maybe", "ssl_check_hostname cannot be 'maybe'"),
        ("kafka://ann@h:1/c", "an address of Kafka names no user"),
        ("kafka://h:1/c?security_protocol=TLS", "security_protocol cannot be 'TLS'"),
        ("kafka://h:1/c?ssl_cafile=x", "ssl_cafile means nothing with security_protocol=PLAINTEXT"),
        (
            "kafka://h:1/c?security_protocol=SSL&sasl_mechanism=PLAIN",
            "sasl_mechanism means nothing with security_protocol=SSL: nothing would be asked for",
        ),
    ],
)
def test_what_cannot_be_an_address(url: str, what: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_kafka(url, {})
    assert what in caught.value.what
    assert caught.value.hint


def test_a_secret_is_used_and_never_shown() -> None:
    url = (
        f"kafka://h:1/c?security_protocol=SASL_SSL&sasl_plain_username=ann"
        f"&sasl_plain_password={QUOTED}&ssl_password=x9y"
    )
    address = parse_kafka(url, {})
    assert address.security["sasl_plain_password"] == SECRET
    assert address.url == "kafka://h:1/c?security_protocol=SASL_SSL&sasl_plain_username=ann"
    for shown in (address.url, repr(address), str(address), without_secrets(url)):
        assert "hunter2" not in shown
        assert "x9y" not in shown
    assert secrets_in(url) == {
        "OSDLOG_KAFKA_SASL_PLAIN_PASSWORD": SECRET,
        "OSDLOG_KAFKA_SSL_PASSWORD": "x9y",
    }
    assert parse_kafka(address.url, secrets_in(url)).security == address.security


@pytest.mark.parametrize(
    "url",
    [
        f"kafka://ann:{QUOTED}@h:1/c",
        f"kafka:h/c?sasl_plain_password={QUOTED}",
        f"kafka://h/c?sasl_plain_password={QUOTED}",
        f"kafka://h:1/c?sasl_plain_pasword={QUOTED}",
        f"kafka://h:1/c?replication_factor=x&sasl_plain_password={QUOTED}",
    ],
)
def test_an_error_shows_no_secret(url: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_kafka(url, {})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in without_secrets(url)


def test_every_option_has_a_variable() -> None:
    for option in OPTIONS:
        assert variable(option) == f"OSDLOG_KAFKA_{option.upper()}"
