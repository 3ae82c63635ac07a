"""A broker that speaks TLS and wants a password, and that no secret is ever shown."""

from pathlib import Path
from urllib.parse import quote

import pytest

from brokers.broker import Broker
from brokers.secrets import PASSWORD, USER
from cli.programs import osdlog
from contracts.logs import IDENTITY, P0, RG, START, drain, entry, values
from eventlog.errors import LogUnavailable
from eventlog.kafka import KafkaLog
from eventlog.kafka_address import OPTIONS, variable


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in OPTIONS:
        monkeypatch.delenv(variable(option), raising=False)


@pytest.fixture
def authority(broker: Broker, tmp_path: Path) -> Path:
    return broker.secrets.write_authority(tmp_path / "ca.pem")


def test_all_of_a_log_goes_over_tls(broker: Broker, cluster_name: str, authority: Path) -> None:
    url = (
        f"kafka://{broker.tls_address}/{cluster_name}?security_protocol=SSL&ssl_cafile={authority}"
    )
    with KafkaLog.create(url, IDENTITY) as log:
        log.append([entry(0, b"a")])
        assert values(log.read(RG, P0, START)) == [b"a"]
        tail = log.tail()
        tail.follow(RG, P0, START)
        assert values(drain(tail)) == [b"a"]
        tail.close()
    with KafkaLog(log.url) as again:
        assert again.identity == IDENTITY


def test_an_authority_that_is_not_ours_is_not_believed(broker: Broker, cluster_name: str) -> None:
    with pytest.raises(LogUnavailable) as caught:
        KafkaLog(f"kafka://{broker.tls_address}/{cluster_name}?security_protocol=SSL")
    assert caught.value.what.startswith(f"the log {cluster_name} at {broker.tls_address}: ")


def test_a_password_is_taken_and_not_shown(
    broker: Broker, cluster_name: str, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (
        f"security_protocol=SASL_SSL&ssl_cafile={authority}&sasl_mechanism=PLAIN"
        f"&sasl_plain_username={USER}"
    )
    url = f"kafka://{broker.login_address}/{cluster_name}?{options}"
    secret = f"{url}&sasl_plain_password={quote(PASSWORD, safe='')}"
    with KafkaLog.create(secret, IDENTITY) as log:
        log.append([entry(0, b"a")])
        assert PASSWORD not in log.url
        assert quote(PASSWORD, safe="") not in log.url
    monkeypatch.setenv(variable("sasl_plain_password"), PASSWORD)
    with KafkaLog(log.url) as again:
        assert values(again.read(RG, P0, START)) == [b"a"]


def test_a_wrong_password_is_told_and_not_shown(
    broker: Broker, cluster_name: str, authority: Path
) -> None:
    url = (
        f"kafka://{broker.login_address}/{cluster_name}?security_protocol=SASL_SSL"
        f"&ssl_cafile={authority}&sasl_mechanism=PLAIN&sasl_plain_username={USER}"
        "&sasl_plain_password=hunter2"
    )
    done = osdlog("status", log=url)
    assert done.code == 3
    assert "hunter2" not in done.out + done.err
    assert f"error: the log {cluster_name} at {broker.login_address}: " in done.err
