# SPDX-License-Identifier: Apache-2.0
"""Listeners hear every command that a connection sends, on both stores."""

import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo import monitoring
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

import mongodb
from mongodb import Document, IntField, NotSupportedError, _core, connect, disconnect
from mongodb.connection import get_connection, get_connection_handle
from mongodb.context_managers import query_counter, run_in_transaction


class Heard(CommandListener):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.events.append(event)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        self.events.append(event)

    def failed(self, event: CommandFailedEvent) -> None:
        self.events.append(event)

    def take(self) -> list[Any]:
        taken, self.events = self.events, []
        return taken

    def names(self) -> list[str]:
        """The commands sent since the last look; each was started and then ended."""
        open_, names = {}, []
        for event in self.take():
            if isinstance(event, CommandStartedEvent):
                assert event.request_id not in open_
                open_[event.request_id] = event
                names.append(event.command_name)
            else:
                begun = open_.pop(event.request_id)
                for name in ("command_name", "database_name", "connection_id", "operation_id"):
                    assert getattr(event, name) == getattr(begun, name), name
                assert 0 <= event.duration_micros < 60_000_000
        assert not open_
        return names


class Numbered(Document):
    n = IntField()
    meta = {"collection": "numbered", "db_alias": "heard"}


@pytest.fixture
def heard(store_uri: str) -> Iterator[Heard]:
    listener = Heard()
    handle = connect("heard", alias="heard", host=store_uri, event_listeners=[listener])
    handle.run({"dropDatabase": 1})
    listener.take()
    try:
        yield listener
    finally:
        disconnect("heard")


def test_events_have_what_pymongo_gives_them(heard: Heard) -> None:
    handle = get_connection_handle("heard")
    handle.run({"insert": "c", "documents": [{"_id": 1}]})
    started, ended = heard.take()
    assert type(started) is CommandStartedEvent
    assert type(ended) is CommandSucceededEvent
    assert started.command["insert"] == "c"
    assert started.command["documents"] == [{"_id": 1}]
    assert started.command["$db"] == started.database_name == ended.database_name == "heard"
    assert started.command_name == ended.command_name == "insert"
    assert started.request_id == ended.request_id == started.operation_id
    assert ended.reply["n"] == 1
    assert ended.reply["ok"] == 1
    host, port = started.connection_id
    assert (port is None) == handle.embedded
    assert host and host in handle.uri
    assert repr(started) and repr(ended)


def test_a_refusal_is_a_failure_with_the_reply(heard: Heard) -> None:
    with pytest.raises(mongodb.MongoError):
        get_connection_handle("heard").run({"find": "c", "filter": {"$nope": 1}})
    started, failed = heard.take()
    assert started.command["filter"] == {"$nope": 1}
    assert type(failed) is CommandFailedEvent
    assert failed.failure["code"] == 2
    assert failed.failure["ok"] == 0
    assert failed.database_name == "heard"


def test_write_errors_are_a_success(heard: Heard) -> None:
    handle = get_connection_handle("heard")
    handle.run({"insert": "c", "documents": [{"_id": 1}]})
    with pytest.raises(mongodb.MongoError):
        handle.insert("c", [{"_id": 1}])
    ended = heard.take()[-1]
    assert type(ended) is CommandSucceededEvent
    assert ended.reply["writeErrors"][0]["code"] == 11000


def test_documents_are_heard_with_all_they_send(heard: Heard) -> None:
    Numbered.objects.insert([Numbered(n=n) for n in range(5)])
    one = Numbered(n=5).save()
    one.n = 6
    one.save()
    assert Numbered.objects.count() == 6
    Numbered.objects(n=0).update(inc__n=1)
    one.delete()
    sent = [name for name in heard.names() if name not in ("createIndexes", "listIndexes")]
    assert sent[:3] == ["insert", "insert", "update"]
    assert sent[3] in ("count", "aggregate")
    assert sent[4:] == ["update", "delete"]


def test_cursors_are_heard_to_their_ends(heard: Heard) -> None:
    handle = get_connection_handle("heard")
    handle.run({"insert": "c", "documents": [{"_id": n} for n in range(5)]})
    heard.take()
    assert len(list(handle.cursor({"find": "c", "batchSize": 2}, 2))) == 5
    assert heard.names() == ["find", "getMore", "getMore"]
    cursor = handle.cursor({"find": "c", "batchSize": 2})
    next(cursor)
    cursor.close()
    assert heard.names() == ["find", "killCursors"]
    cursor = handle.cursor({"find": "c", "batchSize": 2})
    del cursor
    gc.collect()
    assert heard.names() == ["find", "killCursors"]


def test_raw_commands_are_heard(heard: Heard) -> None:
    handle = get_connection_handle("heard")
    handle.client.run_raw("heard", {"ping": 1})
    handle.client.run("heard", _core.encode({"ping": 1}))
    assert heard.names() == ["ping", "ping"]


def test_transactions_are_heard(heard: Heard) -> None:
    Numbered.ensure_indexes()
    Numbered(n=0).save()
    heard.take()
    with run_in_transaction("heard"):
        Numbered(n=1).save()
        Numbered(n=2).save()
    started = [e for e in heard.events if isinstance(e, CommandStartedEvent)][:3]
    assert started[0].command["startTransaction"] is True
    assert [e.command["autocommit"] for e in started] == [False] * 3
    assert len({e.command["lsid"]["id"] for e in started}) == 1
    assert len({e.command["txnNumber"] for e in started}) == 1
    assert heard.names()[:3] == ["insert", "insert", "commitTransaction"]
    with pytest.raises(ZeroDivisionError), run_in_transaction("heard"):
        Numbered(n=3).save()
        raise ZeroDivisionError
    names = heard.names()
    assert names[:2] == ["insert", "abortTransaction"]
    assert Numbered.objects.count() == 3
    with get_connection_handle("heard").client.session() as session:
        session.begin()
        session.client.run("heard", {"find": "numbered"}, session)
    assert "abortTransaction" in heard.names()
    with get_connection_handle("heard").client.session() as session:
        session.begin()
        session.commit()  # nothing to send
    assert "commitTransaction" not in heard.names()


def test_bodies_of_sensitive_commands_are_empty(heard: Heard) -> None:
    handle = get_connection_handle("heard")
    with pytest.raises(mongodb.MongoError):
        handle.run({"saslStart": 1, "mechanism": "PLAIN", "payload": b"secret"})
    started, failed = heard.take()
    assert started.command == {}
    assert started.command_name == failed.command_name == "saslStart"
    assert b"secret" not in repr(failed.failure).encode()


class Raising(CommandListener):
    def __init__(self, error: type[BaseException] = ZeroDivisionError) -> None:
        self.error = error

    def started(self, event: CommandStartedEvent) -> None:
        raise self.error("from a listener")

    succeeded = failed = started  # type: ignore[assignment]


def test_a_listener_that_raises_breaks_nothing(
    store_uri: str, capfd: pytest.CaptureFixture[str]
) -> None:
    after = Heard()
    handle = connect("heard", alias="raising", host=store_uri, event_listeners=[Raising(), after])
    try:
        after.take()
        assert handle.run({"ping": 1})["ok"] == 1
        with pytest.raises(mongodb.MongoError) as caught:
            handle.run({"nope": 1})
        assert caught.value.code == 59
        assert list(handle.cursor({"listCollections": 1, "filter": {"name": "none"}})) == []
        assert after.names() == ["ping", "nope", "listCollections"]
    finally:
        disconnect("raising")
    assert capfd.readouterr().err.count("ZeroDivisionError: from a listener") >= 6


def test_ctrl_c_in_a_listener_reaches_the_caller() -> None:
    client = _core.Client("docstore://:memory:", monitor=interrupted)
    # a run in the background of a shell ignores the signal
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            client.run("t", {"ping": 1})
            for _ in range(1000):
                pass
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(kind: int, *event: Any) -> None:
    if kind:
        raise KeyboardInterrupt


def test_a_listener_may_run_commands(store_uri: str) -> None:
    class Asking(Heard):
        def started(self, event: CommandStartedEvent) -> None:
            super().started(event)
            if event.command_name == "count":
                get_connection_handle("asking").run({"buildInfo": 1})

    listener = Asking()
    handle = connect("heard", alias="asking", host=store_uri, event_listeners=[listener])
    try:
        listener.take()
        handle.run({"count": "c"})
        assert listener.names() == ["count", "buildInfo"]
    finally:
        disconnect("asking")


def test_threads_do_not_mix_their_commands(heard: Heard) -> None:
    handle = get_connection_handle("heard")

    def work(n: int) -> None:
        for _ in range(50):
            handle.run({"find": f"c{n}"})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    asked = {e.request_id: e.command["find"] for e in heard.events if hasattr(e, "command")}
    for event in heard.events:
        if isinstance(event, CommandSucceededEvent):
            assert event.reply["cursor"]["ns"] == f"heard.{asked[event.request_id]}"
    assert heard.names() == ["find"] * 200


def test_a_store_that_does_not_answer_is_a_failure(mongod: str) -> None:
    listener = Heard()
    host = mongod.split("?")[0] + "?directConnection=true&socketTimeoutMS=300"
    handle = connect("heard", alias="slow", host=host, event_listeners=[listener])
    try:
        listener.take()
        with pytest.raises(mongodb.ConnectionFailure):
            handle.run({"aggregate": 1, "pipeline": [
                {"$documents": [{"n": 1}]},
                {"$set": {"x": {"$function": {"body": "function() { sleep(1500) }", "args": [],
                                              "lang": "js"}}}},
            ], "cursor": {}})  # fmt: skip
        failed = [e for e in listener.take() if isinstance(e, CommandFailedEvent)]
        assert failed
        assert failed[0].failure["errtype"] == "ConnectionFailure"
        assert failed[0].failure["errmsg"]
    finally:
        disconnect("slow")


def test_pymongos_client_of_the_alias_has_the_listeners(heard: Heard) -> None:
    client: pymongo.MongoClient[Any] = get_connection("heard")
    heard.take()
    client["heard"].command("ping")
    assert "ping" in heard.names()


def test_listeners_of_all_clients_hear() -> None:
    listener = Heard()
    monitoring.register(listener)
    handle = connect("heard", alias="all", host="docstore://:memory:")
    try:
        handle.run({"ping": 1})
        assert listener.names() == ["ping"]
    finally:
        monitoring._LISTENERS.command_listeners.remove(listener)
        disconnect("all")


def test_counting_is_as_before(heard: Heard) -> None:
    Numbered(n=1).save()
    heard.take()
    with query_counter("heard") as counter:
        list(Numbered.objects)
        Numbered(n=2).save()
    assert counter == 2
    assert heard.names() == ["find", "insert"]


@pytest.mark.parametrize(
    "kind",
    ["ServerListener", "ServerHeartbeatListener", "TopologyListener", "ConnectionPoolListener"],
)
def test_other_listeners_are_refused_by_name(kind: str) -> None:
    listener = type("Mine", (CommandListener, getattr(monitoring, kind)), {})()
    with pytest.raises(NotSupportedError, match=kind):
        connect("heard", alias="other", host="docstore://:memory:", event_listeners=[listener])


@pytest.mark.parametrize("listeners", [[object()], [Heard], Heard(), 1])
def test_what_is_no_listener_is_refused(listeners: Any) -> None:
    with pytest.raises(TypeError, match="event_listeners"):
        connect("heard", alias="other", host="docstore://:memory:", event_listeners=listeners)


def test_a_client_goes_with_its_monitor() -> None:
    class Owner:
        client: Any

        def __call__(self, *event: Any) -> None: ...

    owner = Owner()
    owner.client = _core.Client("docstore://:memory:", monitor=owner)
    gone = weakref.ref(owner)
    owner.client.run("t", {"ping": 1})
    del owner
    gc.collect()
    assert gone() is None
