# SPDX-License-Identifier: Apache-2.0
"""A queryset that is read from several places at once: it ends, and each gets all rows once."""

import asyncio
import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mongodb import Document, MongoError, OperationError, connect, disconnect, signals
from mongodb.fields import IntField

COUNT = 3000


class ThreadDoc(Document):
    n = IntField()


@pytest.fixture(scope="module", autouse=True)
def store() -> Iterator[None]:
    connect("threads", host="docstore://:memory:")
    ThreadDoc.objects.insert([ThreadDoc(n=n) for n in range(COUNT)])
    yield
    disconnect()


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return, or raise, when they start together; none may hang."""
    answers: list[Any] = [None] * len(calls)
    ready = threading.Barrier(len(calls))

    def run(at: int) -> None:
        ready.wait()
        try:
            answers[at] = calls[at]()
        except BaseException as error:
            answers[at] = error

    threads = [threading.Thread(target=run, args=(at,), daemon=True) for at in range(len(calls))]
    deadline = time.monotonic() + 30
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return answers


def test_rewind_while_iterating_ends() -> None:
    queryset = ThreadDoc.objects.limit(20).batch_size(3)
    seen = []
    for one in queryset:
        seen.append(one.n)
        queryset.rewind()
        assert len(seen) <= 20
    assert seen == list(range(20))
    assert [one.n for one in queryset] == seen


def test_next_goes_on_and_begins_again_after_rewind() -> None:
    queryset = ThreadDoc.objects.limit(3)
    assert [next(queryset).n for _ in range(3)] == [0, 1, 2]
    with pytest.raises(StopIteration):
        next(queryset)
    queryset.rewind()
    assert next(queryset).n == 0


def readings(queryset: Any) -> dict[Callable[[], Any], Any]:
    numbers = list(range(COUNT))
    return {
        lambda: [one.n for one in queryset]: numbers,
        lambda: [one.n for one in list(queryset)]: numbers,
        lambda: len(queryset): COUNT,
        lambda: bool(queryset): True,
        lambda: [one.n for one in queryset[5:50]]: numbers[5:50],
        lambda: queryset[17].n: 17,
        lambda: queryset.first().n: 0,
        lambda: sum(1 for _ in zip(queryset, range(40), strict=False)): 40,
        lambda: ThreadDoc.objects.first() in queryset: True,
    }


@pytest.mark.parametrize("size", [7, 100, 0])
def test_threads_share_a_queryset(size: int) -> None:
    for _ in range(5):
        wanted = readings(ThreadDoc.objects.batch_size(size))
        assert in_threads(*wanted) == list(wanted.values())


def test_threads_share_next() -> None:
    """Each document is given to one of them."""
    queryset = ThreadDoc.objects.batch_size(11)

    def take() -> list[int]:
        found = []
        while (one := next(queryset, None)) is not None:
            found.append(one.n)
        return found

    answers = in_threads(*[take] * 6)
    assert sorted(n for found in answers for n in found) == list(range(COUNT))


def test_threads_rewind_a_queryset_that_others_read() -> None:
    queryset = ThreadDoc.objects.batch_size(50)

    def rewind() -> None:
        for _ in range(200):
            queryset.rewind()

    answers = in_threads(
        rewind, rewind, *[lambda: [one.n for one in queryset]] * 4, lambda: len(queryset)
    )
    assert answers == [None, None, *[list(range(COUNT))] * 4, COUNT]


def test_threads_share_a_queryset_without_a_cache() -> None:
    queryset = ThreadDoc.objects.no_cache().batch_size(100)
    answers = in_threads(*[lambda: [one.n for one in queryset]] * 5, lambda: bool(queryset))
    assert answers == [*[list(range(COUNT))] * 5, True]


def test_a_failure_is_told_to_all_who_wait_and_not_kept(monkeypatch: Any) -> None:
    queryset = ThreadDoc.objects.batch_size(10)
    whole = type(queryset)._batches
    failing = threading.Event()
    failing.set()

    def batches(self: Any) -> Iterator[Any]:
        for at, batch in enumerate(whole(self)):
            if at == 3 and failing.is_set():
                time.sleep(0.05)
                raise OperationError("lost")
            yield batch

    monkeypatch.setattr(type(queryset), "_batches", batches)
    read = in_threads(*[lambda: len([one for one in queryset])] * 4)
    assert all(isinstance(one, MongoError) for one in read)
    failing.clear()
    assert len(queryset) == COUNT


def test_a_receiver_that_reads_the_queryset_it_comes_from_is_told() -> None:
    queryset = ThreadDoc.objects.limit(3)

    def receive(sender: Any, document: Any, **named: Any) -> None:
        len(queryset)

    signals.post_init.connect(receive, sender=ThreadDoc)
    try:
        with pytest.raises(OperationError, match="own documents"):
            len(queryset)
    finally:
        signals.post_init.disconnect(receive, sender=ThreadDoc)
    assert len(queryset) == 3


def test_reading_goes_on_where_another_place_stopped() -> None:
    queryset = ThreadDoc.objects.limit(10).batch_size(2)
    first, second = iter(queryset), iter(queryset)
    assert [next(first).n, next(first).n, next(second).n, next(first).n] == [0, 1, 0, 2]
    assert [one.n for one in second] == list(range(1, 10))
    assert [one.n for one in first] == list(range(3, 10))


def test_an_unfinished_reading_closes_its_cursor_with_the_queryset() -> None:
    import weakref

    queryset = ThreadDoc.objects.batch_size(2)
    next(queryset)
    rows = weakref.ref(queryset)
    del queryset
    assert rows() is None  # without the garbage collector's help


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_reads_anew() -> None:
    queryset = ThreadDoc.objects.batch_size(10)
    going = iter(queryset)
    next(going)
    done = ThreadDoc.objects.limit(2)
    assert len(done) == 2
    child = os.fork()
    if not child:
        status = 1
        try:
            try:
                list(going)
            except OperationError:
                status = 0 if len(done) == 2 and queryset._evaluation().items == [] else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert len([one for one in going]) == COUNT - 1


def test_async_iteration() -> None:
    async def numbers(queryset: Any) -> list[int]:
        return [one.n async for one in queryset]

    async def several(queryset: Any) -> list[list[int]]:
        return list(await asyncio.gather(*[numbers(queryset) for _ in range(4)]))

    wanted = list(range(30))
    assert asyncio.run(several(ThreadDoc.objects[:30].batch_size(4))) == [wanted] * 4
    uncached = ThreadDoc.objects[:30].no_cache().batch_size(4)
    assert asyncio.run(several(uncached)) == [wanted] * 4
    assert uncached._rows is None


def test_pickles_have_what_was_loaded() -> None:
    queryset = ThreadDoc.objects.limit(3)
    assert pickle.loads(pickle.dumps(queryset))._rows is None
    len(queryset)
    assert [one.n for one in pickle.loads(pickle.dumps(queryset))._loaded] == [0, 1, 2]
