"""Which log a command means: said, else the environment, else the nearest file."""

from pathlib import Path

import pytest

from eventlog.errors import BadName
from eventlog.kafka_address import OPTIONS, parse_kafka, variable
from osd.config import log_url, passed_over


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing, and is as it was afterwards."""
    for name in ("OSDLOG_LOG", *map(variable, OPTIONS)):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "osdlog.toml").write_text('[osdlog]\nlog = "sqlite:data/log.sqlite"\n')
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    assert log_url(folder=inner) == f"sqlite:{tmp_path}/data/log.sqlite"
    monkeypatch.setenv("OSDLOG_LOG", "sqlite:env")
    assert log_url(folder=inner) == "sqlite:env"
    assert log_url("sqlite:said", inner) == "sqlite:said"


def test_a_cluster_with_a_log_of_its_own_says_what_it_passes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    own = f"sqlite:{tmp_path}/data/log.sqlite"
    assert passed_over(own) is None
    for content, said in (
        ('[osdlog]\nlog = "sqlite:data/log.sqlite"\n', None),
        ('[osdlog]\nlog = "kafka://h:1/c"\n', "osdlog.toml"),
        ('[kafka]\nssl_cafile = "ca.pem"\n', None),
    ):
        (tmp_path / "osdlog.toml").write_text(content)
        assert passed_over(own) == said
    monkeypatch.setenv("OSDLOG_LOG", own)
    assert passed_over(own) is None
    monkeypatch.setenv("OSDLOG_LOG", "sqlite:data/log.sqlite")
    assert passed_over(own) is None
    monkeypatch.setenv("OSDLOG_LOG", "kafka://h:1/c")
    assert passed_over(own) == "OSDLOG_LOG"


def test_the_nearest_file_wins_and_absolute_paths_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    (tmp_path / "osdlog.toml").write_text('[osdlog]\nlog = "sqlite:outer"\n')
    (inner / "osdlog.toml").write_text('[osdlog]\nlog = "sqlite:/abs/log"\n')
    assert log_url(folder=inner) == "sqlite:/abs/log"
    (inner / "osdlog.toml").write_text('[osdlog]\nlog = "kafka://h:1/c"\n')
    assert log_url(folder=inner) == "kafka://h:1/c"


@pytest.mark.parametrize(
    ("content", "what"),
    [("[osdlog]\n", "names no log"), ("not toml", "cannot be read"), ("osdlog = 3\n", "names no")],
)
def test_a_file_that_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, what: str
) -> None:
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    (tmp_path / "osdlog.toml").write_text(content)
    with pytest.raises(BadName, match=what):
        log_url(folder=tmp_path)


def test_nobody_says_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    with pytest.raises(BadName) as caught:
        log_url(folder=tmp_path)
    assert caught.value.what == "no log is named"
    assert "--log URL" in caught.value.hint
    assert "OSDLOG_LOG" in caught.value.hint


def test_what_the_file_says_of_kafka_goes_to_the_environment(tmp_path: Path, quiet: None) -> None:
    (tmp_path / "osdlog.toml").write_text(
        '[osdlog]\nlog = "kafka://h:1/c?sasl_plain_username=ann"\n[kafka]\n'
        'security_protocol = "SASL_SSL"\nssl_cafile = "ca.pem"\nssl_check_hostname = false\n'
        'sasl_plain_password = "from the file"\nreplication_factor = 3\n'
    )
    url = log_url(folder=tmp_path)
    assert url == "kafka://h:1/c?sasl_plain_username=ann"
    address = parse_kafka(url)
    assert address.replication_factor == 3
    assert address.security == {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": f"{tmp_path}/ca.pem",
        "ssl_check_hostname": False,
        "sasl_plain_username": "ann",
        "sasl_plain_password": "from the file",
    }


def test_the_environment_wins_over_the_file_and_the_address_over_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    login = {"security_protocol": "SASL_SSL"}
    said = '[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_plain_password = "file"\n'
    (tmp_path / "osdlog.toml").write_text(said)
    monkeypatch.setenv("OSDLOG_KAFKA_SASL_PLAIN_PASSWORD", "environment")
    url = log_url("kafka://h:1/c", tmp_path)
    assert parse_kafka(url).security == login | {"sasl_plain_password": "environment"}
    url = log_url("kafka://h:1/c?sasl_plain_password=said", tmp_path)
    assert url == "kafka://h:1/c", "no list of processes shows it"
    assert parse_kafka(url).security == login | {"sasl_plain_password": "said"}


@pytest.mark.parametrize("section", ["acks = 1", "ssl_cafile = []", "[[kafka.x]]"])
def test_what_kafka_does_not_have(tmp_path: Path, quiet: None, section: str) -> None:
    (tmp_path / "osdlog.toml").write_text(f"[kafka]\n{section}\n")
    with pytest.raises(BadName, match=r"\[kafka\] in .*osdlog.toml cannot have '\w+'\. It may"):
        log_url("kafka://h:1/c", tmp_path)


def test_the_file_is_not_asked_about_kafka_for_another_log(tmp_path: Path, quiet: None) -> None:
    (tmp_path / "osdlog.toml").write_text("[kafka]\nacks = 1\n")
    assert log_url("sqlite:x", tmp_path) == "sqlite:x"
