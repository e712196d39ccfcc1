# SPDX-License-Identifier: Apache-2.0
"""Documents in processes that fork: servers with workers, daemons, multiprocessing."""

import multiprocessing
import os
import pathlib
import signal
import sysconfig
import threading
from collections.abc import Iterator
from subprocess import run

import pytest

import mongodb
from mongodb import Document, atomic, connect, disconnect, get_connection, get_db
from mongodb.errors import MongoError
from mongodb.fields import IntField, StringField

from .forks import ROUNDS, ended, fork

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:MongoClient opened before fork"
)


class Job(Document):
    worker = IntField()
    number = IntField()
    name = StringField()
    meta = {"indexes": ["worker"]}


@pytest.fixture
def jobs(connected: str) -> Iterator[str]:
    Job.drop_collection()
    Job(worker=-1, number=0).save()
    yield connected
    Job.drop_collection()


@pytest.fixture
def file(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    path = tmp_path / "jobs.docstore"
    connect("jobs", host=f"docstore://{path}")
    Job(worker=-1, number=0).save()
    yield path
    disconnect()


def check(path: pathlib.Path) -> None:
    """What the program says of the file."""
    program = pathlib.Path(sysconfig.get_path("scripts")) / "docstore"
    done = run([program, "check", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 damaged" in done.stdout


def work(worker: int, count: int) -> None:
    for number in range(0, count, 10):
        batch = [Job(worker=worker, number=number + i) for i in range(8)]
        Job.objects.insert(batch)
        Job(worker=worker, number=number + 8).save()
        with atomic():
            Job(worker=worker, number=number + 9).save()
            Job.objects(worker=worker, number=number).update_one(set__name="first")
    assert Job.objects(worker=worker).count() == count


@pytest.mark.parametrize("parent", ["disconnects", "goes on"])
def test_workers_of_a_server_that_connected_before_it_forked(
    parent: str, file: pathlib.Path
) -> None:
    assert Job.objects.count() == 1
    workers = [fork(lambda n=n: work(n, 400 * ROUNDS)) for n in range(4)]  # type: ignore[misc]
    if parent == "disconnects":
        disconnect()
    else:
        work(4, 200)
    assert [ended(worker) for worker in workers] == [0, 0, 0, 0]
    if parent == "disconnects":
        connect("jobs", host=f"docstore://{file}")
    for worker in range(4):
        numbers = sorted(Job.objects(worker=worker).scalar("number"))
        assert numbers == list(range(400 * ROUNDS))
        assert Job.objects(worker=worker, name="first").count() == 40 * ROUNDS
    disconnect()
    check(file)


def test_a_daemon_forks_twice_and_leaves_its_folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    read, write = os.pipe()

    def start() -> None:
        connect("jobs", host="docstore://jobs.docstore")
        Job(worker=0, number=0).save()

        def detach() -> None:
            os.setsid()

            def daemon() -> None:
                os.chdir("/")
                os.close(read)
                work(1, 300)
                disconnect()
                os.write(write, b"done")

            fork(daemon)

        assert ended(fork(detach)) == 0

    assert ended(fork(start)) == 0
    os.close(write)
    assert os.read(read, 4) == b"done"
    assert os.read(read, 1) == b""
    os.close(read)
    connect("jobs", host="docstore://jobs.docstore")
    assert Job.objects.count() == 301
    disconnect()
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.docstore"]
    check(tmp_path / "jobs.docstore")


def spawned(uri: str, worker: int) -> None:
    connect("jobs", host=uri)
    work(worker, 100)
    disconnect()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(method: str, file: pathlib.Path) -> None:
    context = multiprocessing.get_context(method)
    if method == "fork":
        children = [context.Process(target=work, args=(n, 100)) for n in range(2)]
    else:
        uri = f"docstore://{file}"
        children = [context.Process(target=spawned, args=(uri, n)) for n in range(2)]
    for child in children:
        child.start()
    work(9, 100)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert Job.objects.count() == 301


def test_a_child_goes_on_with_documents_and_pymongo(jobs: str) -> None:
    found = Job.objects.first()
    client = get_connection()
    assert get_db()[Job._get_collection_name()].count_documents({}) == 1

    def child() -> None:
        assert Job.objects(worker=-1).count() == 1
        found.name = "child"
        found.save()
        assert get_connection() is not client
        names = get_db()[Job._get_collection_name()].distinct("name")
        assert names == ["child"]
        get_db()[Job._get_collection_name()].insert_one({"worker": 5})
        disconnect()

    for _ in range(2):
        assert ended(fork(child)) == 0
        found.reload()
        found.name = None
        found.save()
    assert Job.objects(worker=5).delete() == 2
    assert client.server_info()["ok"] == 1
    assert get_connection() is client
    assert get_db()[Job._get_collection_name()].count_documents({}) == 1


def test_threads_that_fork(jobs: str) -> None:
    codes: list[int] = []

    def forks(worker: int) -> None:
        for number in range(5 * ROUNDS):
            Job(worker=worker, number=number).save()
            codes.append(ended(fork(lambda: work(1000 * worker + number, 10))))  # noqa: B023

    threads = [threading.Thread(target=forks, args=(worker,)) for worker in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # libmongoc's own lock may stop a child of a process that uses a server in other threads
    stopped = codes.count(-signal.SIGALRM) if jobs.startswith("mongodb") else 0
    assert stopped <= ROUNDS and sorted(codes) == [-signal.SIGALRM] * stopped + [0] * (
        20 * ROUNDS - stopped
    )
    assert Job.objects.count() >= 1 + (20 + 200) * ROUNDS - 10 * stopped


def test_a_fork_within_atomic(jobs: str) -> None:
    with atomic():
        Job(worker=1, number=1).save()

        def child() -> None:
            with pytest.raises(MongoError, match="before fork"):
                Job(worker=2, number=2).save()
            with pytest.raises(MongoError, match="before fork"):
                Job.objects.count()

        assert ended(fork(child)) == 0

        def ending() -> None:
            with pytest.raises(MongoError, match="before fork"), mongodb.atomic():
                Job.objects.count()

        assert ended(fork(ending)) == 0
        Job(worker=1, number=2).save()
    assert sorted(Job.objects(worker=1).scalar("number")) == [1, 2]
    assert Job.objects.count() == 3
