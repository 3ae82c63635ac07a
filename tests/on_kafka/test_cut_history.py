"""History whose first records Kafka has deleted: what still answers, and what all else says."""

from contextlib import closing
from pathlib import Path

from kafka import KafkaAdminClient, TopicPartition

from brokers.broker import Broker
from cli.programs import osdlog
from client.past_logs import as_sqlite, eventful_log

CUT = (
    "error: the history of rg/1 was cut: its records @0 to @4 are gone, "
    "what is left begins at rg/1@5\n"
    "hint: What was true there can be told only from a copy of the log that has them "
)


def test_what_is_gone_and_what_is_left_is_said(
    broker: Broker, cluster_name: str, tmp_path: Path
) -> None:
    as_sqlite(eventful_log(), tmp_path / "log.sqlite").close()
    whole, url = f"sqlite:{tmp_path / 'log.sqlite'}", broker.url(cluster_name)
    assert osdlog("log", "copy", whole, url).code == 0
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        admin.delete_records({TopicPartition(f"{cluster_name}.rg", 1): 5})
    for command in (
        ("replay",),
        ("replay", "--until", "rg/1@7"),
        ("replay", "--rg", "1"),
        ("audit", "--db", tmp_path / "a.audit"),
        ("log", "copy", url, f"sqlite:{tmp_path / 'copy.sqlite'}"),
    ):
        done = osdlog(*command, log=url)
        assert (done.code, done.out) == (3, ""), command
        assert done.err.startswith(CUT), (command, done.err)
    left, said = osdlog("log", "cat", log=url), osdlog("log", "cat", log=whole)
    assert left.code == 3
    assert left.err.startswith(CUT)
    gone = {f"rg/1@{offset}" for offset in range(5)}
    kept = {line.split()[0] for line in said.lines} - gone
    assert {line.split()[0] for line in left.lines} == kept
    for words in (("replay", "--rg", "2", "--json"), ("map", "log")):
        assert osdlog(*words, log=url).out == osdlog(*words, log=whole).out, words
