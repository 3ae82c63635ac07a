"""Which log a command means: said, else the environment, else the nearest file."""

from pathlib import Path

import pytest

from eventlog.errors import BadName
from osd.config import log_url


def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "osdlog.toml").write_text('[osdlog]\nlog = "sqlite:data/log.sqlite"\n')
    monkeypatch.delenv("OSDLOG_LOG", raising=False)
    assert log_url(folder=inner) == f"sqlite:{tmp_path}/data/log.sqlite"
    monkeypatch.setenv("OSDLOG_LOG", "sqlite:env")
    assert log_url(folder=inner) == "sqlite:env"
    assert log_url("sqlite:said", inner) == "sqlite:said"


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
