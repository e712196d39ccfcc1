# SPDX-License-Identifier: Apache-2.0
"""Models and documents of one store are in one transaction, whoever began it."""

import asyncio
import contextlib
import itertools
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, IntegrityError, connection, connections, models, transaction

import mongodb
from mongodb import Document, MongoError, NotUniqueError, OperationError
from mongodb.connection import bring_back, get_connection_handle, set_aside
from mongodb.fields import StringField


class Doctor(Document):
    code = StringField(unique=True)


class Stop(Exception):
    pass


KINDS = {"models": transaction.atomic, "documents": mongodb.atomic}


@pytest.fixture(scope="module")
def maker(store_uri: str, models_on: Any) -> Iterator[Any]:
    """A model; documents' default connection is another one to the same store."""
    with models_on(store_uri) as make:

        class Maker(models.Model):
            name = models.CharField(max_length=20, unique=True)

            class Meta:
                app_label = "mongodb"

        make(Maker)
        before = set_aside("default")
        if store_uri == "docstore://:memory:":  # the one store in memory
            mongodb.connection._connections["default"] = get_connection_handle("django:default")
        else:
            mongodb.connect(connection.settings_dict["NAME"], host=store_uri)
            assert get_connection_handle() is not get_connection_handle("django:default")
        try:
            yield Maker
        finally:
            if store_uri == "docstore://:memory:":
                del mongodb.connection._connections["default"]
            mongodb.disconnect()
            bring_back("default", before)


@pytest.fixture(autouse=True)
def _empty(maker: Any) -> None:
    maker.objects.all().delete()
    Doctor.objects.delete()


def write(maker: Any, kind: str, name: str) -> None:
    if kind == "models":
        maker.objects.create(name=name)
    else:
        Doctor(code=name).save()


def stored(maker: Any) -> tuple[set[str], set[str]]:
    return {one.name for one in maker.objects.all()}, {one.code for one in Doctor.objects}


def fail(maker: Any, how: str) -> None:
    if how == "raise":
        raise Stop
    if how == "models":
        maker.objects.create(name="taken")
    elif how == "documents":
        Doctor(code="taken").save()


@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("how", ["", "raise", "models", "documents"])
@pytest.mark.parametrize("outer", KINDS)
def test_both_are_kept_or_neither(maker: Any, outer: str, how: str, first: str) -> None:
    write(maker, "models", "taken")
    write(maker, "documents", "taken")
    second = "documents" if first == "models" else "models"
    error: Any = (Stop, IntegrityError, NotUniqueError)
    with pytest.raises(error) if how else contextlib.nullcontext(), KINDS[outer]():
        write(maker, first, "a")
        write(maker, second, "b")
        assert [len(one) for one in stored(maker)] == [2, 2]
        fail(maker, how)
    many = 1 if how else 2
    assert [len(one) for one in stored(maker)] == [many, many]


@pytest.mark.parametrize("ends", ["", "raise"])
@pytest.mark.parametrize("how", ["", "raise", "models", "documents"])
@pytest.mark.parametrize(("outer", "inner"), [*itertools.product(KINDS, KINDS)])
def test_a_nested_block_undoes_what_both_did(
    maker: Any, outer: str, inner: str, how: str, ends: str
) -> None:
    write(maker, "models", "taken")
    write(maker, "documents", "taken")
    # within documents' transaction a server can only undo the whole
    whole = outer == "documents" and not get_connection_handle().embedded and how != ""
    undone = whole or ends != ""
    errors = (Stop, OperationError, DatabaseError) if whole else Stop
    with pytest.raises(errors) if undone else contextlib.nullcontext():
        with KINDS[outer]():
            write(maker, "models", "a")
            write(maker, "documents", "a")
            with contextlib.suppress(Stop, IntegrityError, NotUniqueError), KINDS[inner]():
                write(maker, "models", "b")
                write(maker, "documents", "b")
                fail(maker, how)
            write(maker, "models", "c")
            write(maker, "documents", "c")
            if ends:
                raise Stop
    names = {"taken"}
    if not undone:
        names |= {"a", "c"} | (set() if how else {"b"})
    assert stored(maker) == (names, names)


def test_objects_take_their_state_back_with_a_savepoint(maker: Any) -> None:
    with transaction.atomic():
        kept = Doctor(code="kept").save()
        with contextlib.suppress(Stop), transaction.atomic():
            lost = Doctor(code="lost").save()
            assert lost.pk is not None
            raise Stop
        assert lost.pk is None and kept.pk is not None
        lost.save()
    assert stored(maker)[1] == {"kept", "lost"}
    with contextlib.suppress(Stop), transaction.atomic():
        kept.code = "other"
        kept.save()
        raise Stop
    kept.save()
    assert stored(maker)[1] == {"other", "lost"}


def test_on_commit_waits_for_documents(maker: Any) -> None:
    done: list[str] = []
    with mongodb.atomic():
        with transaction.atomic():
            write(maker, "models", "a")
            transaction.on_commit(lambda: done.append("inner"))
        transaction.on_commit(lambda: done.append("outer"))
        assert done == []
    assert done == ["inner", "outer"]
    with contextlib.suppress(Stop), mongodb.atomic():
        with transaction.atomic():
            transaction.on_commit(lambda: done.append("never"))
        raise Stop
    assert done == ["inner", "outer"]


def test_a_durable_block_refuses_to_be_a_part(maker: Any) -> None:
    with pytest.raises(RuntimeError, match="durable"), mongodb.atomic():
        with transaction.atomic(durable=True):
            write(maker, "models", "a")
    assert stored(maker) == (set(), set())


def test_rows_are_locked_within_documents(maker: Any) -> None:
    write(maker, "models", "a")
    with mongodb.atomic(), transaction.atomic():
        one = maker.objects.select_for_update().get()
        one.name = "b"
        one.save()
        Doctor(code="b").save()
    assert stored(maker) == ({"b"}, {"b"})


def test_another_thread_is_not_in_the_transaction(maker: Any) -> None:
    seen: list[Any] = []

    def look() -> None:
        seen.append(stored(maker))
        connection.close()

    for begin in KINDS.values():
        with contextlib.suppress(Stop), begin():
            write(maker, "models", "a")
            write(maker, "documents", "a")
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            raise Stop
    assert seen == [(set(), set())] * 2


def test_a_later_write_names_the_first_error(maker: Any) -> None:
    write(maker, "documents", "taken")
    if get_connection_handle().embedded:
        return
    with pytest.raises(MongoError, match="earlier error.*taken"), mongodb.atomic():
        with contextlib.suppress(NotUniqueError), mongodb.atomic():
            write(maker, "documents", "taken")
        write(maker, "documents", "more")
    assert stored(maker) == (set(), {"taken"})


def test_another_connection_to_the_same_file_does_not_wait_for_itself(
    maker: Any, models_on: Any
) -> None:
    handle = get_connection_handle("django:default")
    if not handle.embedded:
        return
    from mongodb.backend import dbapi

    other = dbapi.connect(handle)
    began = time.monotonic()
    with transaction.atomic():
        write(maker, "models", "a")
        for autocommit in (True, False):
            other.set_autocommit(autocommit)
            with pytest.raises(dbapi.OperationalError, match="same file"):
                other.run({"insert": "t", "documents": [{}]})
        other.rollback()
        other.close()
        write(maker, "documents", "a")
    assert time.monotonic() - began < 5
    assert stored(maker) == ({"a"}, {"a"})


def _leave() -> None:
    connection.close()
    del connections["default"]  # of this thread


async def _both(maker: Any) -> None:
    with contextlib.suppress(Stop), mongodb.atomic():
        await Doctor(code="a").asave()
        await maker.objects.acreate(name="a")
        await sync_to_async(_leave)()
        raise Stop
    await maker.objects.acreate(name="b")
    await sync_to_async(_leave)()


def test_documents_atomic_holds_what_is_awaited(maker: Any) -> None:
    if get_connection_handle("django:default").uri == "docstore://:memory:":
        return  # one thread's connections
    asyncio.run(_both(maker))
    assert stored(maker) == ({"b"}, set())


PROJECT = """
import sys
from django.conf import settings
store = {"HOST": sys.argv.pop()}
settings.configure(
    SECRET_KEY="x", INSTALLED_APPS=["mongodb", "shop"],
    DATABASES={"default": {"ENGINE": "mongodb.backend", "NAME": "shop", **store}},
    MONGODB_SETTINGS={"db": "shop", "host": store["HOST"]},
)
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
CASES = """
from django.db import models, transaction
from django.test import TestCase
from mongodb import Document
from mongodb.fields import StringField

class Maker(models.Model):
    name = models.CharField(max_length=10)

class Doctor(Document):
    code = StringField(unique=True)

class Tests(TestCase):
    @classmethod
    def setUpTestData(cls):
        Maker.objects.create(name="a")
        Doctor(code="a").save()

    def look(self):
        self.assertEqual([one.name for one in Maker.objects.all()], ["a"])
        self.assertEqual([one.code for one in Doctor.objects], ["a"])

    def test_first(self):
        self.look()
        Maker.objects.create(name="b")
        Doctor(code="b").save()

    def test_second(self):
        self.test_first()

    def test_undone(self):
        with self.assertRaises(KeyError), transaction.atomic():
            Maker.objects.create(name="b")
            Doctor(code="b").save()
            raise KeyError
        self.look()

class After(TestCase):
    def test_nothing_stays(self):
        self.assertEqual((Maker.objects.count(), Doctor.objects.count()), (0, 0))
"""


def test_a_test_cases_transaction_holds_documents(mongod: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "manage.py").write_text(PROJECT)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("")
    (tmp_path / "shop/models.py").write_text(CASES.split("class Tests")[0])
    (tmp_path / "shop/tests.py").write_text(
        "from shop.models import *\nclass Tests" + CASES.split("class Tests")[1]
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "test", mongod],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and "Ran 4 tests" in done.stderr, done.stdout + done.stderr
