"""Being told of answers to fetches, by a client that is as we know it, and by one that is not."""

import pytest
from kafka.future import Future

from eventlog.kafka.listening import Listener


class Client:
    """A consumer with just what is listened to."""

    def __init__(self) -> None:
        self._fetcher = self
        self._fetch_futures: list[Future] = []
        self.config = {"fetch_max_wait_ms": 100}


@pytest.fixture
def client() -> Client:
    return Client()


def test_an_answer_is_told_once(client: Client) -> None:
    told: list[int] = []
    listener = Listener(client, lambda: told.append(1))
    assert not listener.hears(), "nothing is under way"
    first, second = client._fetch_futures = [Future(), Future()]
    for _ in range(2):
        listener.listen()
    assert listener.hears()
    first.success(None)
    assert told == [1]
    assert not listener.hears(), "there is something to be taken"
    client._fetch_futures = [second]
    listener.listen()
    assert listener.hears()
    second.failure(KeyError("a broker that is away is an answer too"))
    assert told == [1, 1]


def test_what_was_answered_before_is_told_at_once(client: Client) -> None:
    told: list[int] = []
    listener = Listener(client, lambda: told.append(1))
    client._fetch_futures = [Future().success(None)]
    listener.listen()
    assert told == [1]
    assert not listener.hears()


def test_brokers_hold_what_is_fetched_as_long_as_is_said(client: Client) -> None:
    Listener(client, lambda: None).hold(5)
    assert client.config == {"fetch_max_wait_ms": 5}


def test_a_client_of_another_kind_tells_nothing_and_is_left_as_it_is() -> None:
    class Newer:
        pass

    newer = Newer()
    newer._fetcher = Newer()  # type: ignore[attr-defined]
    for client in (Newer(), newer):
        listener = Listener(client, lambda: None)
        listener.listen()
        listener.hold(5)
        assert not listener.hears()
    assert vars(newer._fetcher) == {}  # type: ignore[attr-defined]
