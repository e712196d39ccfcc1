# SPDX-License-Identifier: Apache-2.0
"""`manage.py test` and pytest-django leave the developer's documents alone."""

import os
import pathlib
import subprocess
import sys
import textwrap
import uuid
from typing import Any

import pytest

from mongodb import _core

DEVELOPERS = {"_id": 1, "name": "the developer's"}

SETTINGS = """
    import pathlib
    BASE_DIR = pathlib.Path(__file__).parent
    SECRET_KEY = "tests"
    USE_TZ = True
    INSTALLED_APPS = ["mongodb", "shop"]
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3",
                             "NAME": BASE_DIR / "shop.sqlite3"}}
    MONGODB_SETTINGS = %s
"""

DOCUMENTS = """
    from mongodb import Document
    from mongodb.fields import *

    class Item(Document):
        name = StringField(unique=True)
        n = IntField(default=0)
"""

# Every class asserts that it finds what the one before must not have left.
TESTS = """
    from django.test import SimpleTestCase, TestCase, TransactionTestCase
    from mongodb import atomic, get_db
    from shop.documents import Item

    class Stop(Exception):
        pass

    def check(self, *kept):
        self.assertEqual(get_db().name.startswith("test_"), True)
        self.assertEqual(sorted(one.name for one in Item.objects), sorted(kept))
        self.assertEqual(sorted(get_db().other.distinct("x")), [])
        Item(name="new").save()
        get_db().item.insert_one({"name": "by pymongo"})
        get_db().other.insert_one({"x": 1})
        try:
            with atomic():
                Item(name="undone").save()
                raise Stop
        except Stop:
            pass
        self.assertEqual(Item.objects.count(), len(kept) + 2)
        self.assertIn("name_1", get_db().item.index_information())

    class Both:
        def test_one(self):
            check(self)

        def test_two(self):
            check(self)

    class SimpleTests(Both, SimpleTestCase):
        pass

    class PlainTests(Both, TestCase):
        pass

    class FlushedTests(Both, TransactionTestCase):
        pass

    class DataTests(TestCase):
        @classmethod
        def setUpTestData(cls):
            cls.item = Item.objects.create(name="given", n=1)

        def setUp(self):
            self.assertEqual(Item.objects.get(name="given").n, 1)
            self.assertEqual(self.item.n, 1)

        def test_changed(self):
            check(self, "given")
            self.item.n = 2
            self.item.save()

        def test_deleted(self):
            check(self, "given")
            self.item.delete()

        def test_dropped(self):
            check(self, "given")
            Item.drop_collection()
            get_db().create_collection("capped", capped=True, size=4096).insert_one({"x": 1})

        async def test_async(self):
            await self.item.aupdate(n=3)

    class LaterTests(Both, TestCase):
        def test_last(self):
            self.assertEqual(Item.objects.count(), 0)

    class ZooTests(Both, SimpleTestCase):
        pass
"""

PYTEST = """
    import pytest
    from mongodb import get_db
    from shop.documents import Item
    from mongodb.testing import mongodb_store, store

    @pytest.fixture
    def given(db):
        return Item.objects.create(name="given")

    @pytest.mark.parametrize("n", [1, 2])
    def test_given(given, n):
        assert [one.name for one in Item.objects] == ["given"]
        Item(name="new").save()

    @pytest.mark.django_db
    @pytest.mark.parametrize("n", [1, 2])
    def test_marked(n):
        assert Item.objects.count() == get_db().other.count_documents({}) == 0
        Item(name="new").save()
        get_db().other.insert_one({})

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("n", [1, 2])
    def test_transactional(n):
        assert Item.objects.count() == 0
        Item(name="new").save()

    def test_without_a_mark():
        Item(name="unmarked").save()
        assert get_db().name.startswith("test_")
        Item.objects.delete()

    @pytest.mark.parametrize("n", [1, 2])
    def test_a_store_of_its_own(mongodb_store, n):
        assert Item.objects.count() == 0
        Item(name="x").save()
        assert mongodb_store.test.item.count_documents({}) == 1
"""


class Project:
    def __init__(self, folder: pathlib.Path, connection: dict[str, Any]) -> None:
        self.folder = folder
        self.write("settings.py", SETTINGS % repr(connection))
        self.write("shop/__init__.py", "")
        self.write("shop/documents.py", DOCUMENTS)
        self.write("shop/tests.py", TESTS)
        self.write("pytests/test_shop.py", PYTEST)
        self.write("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n")
        self.write(
            "manage.py",
            "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
            "from django.core.management import execute_from_command_line\n"
            "execute_from_command_line(sys.argv)\n",
        )

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def run(self, *command: str) -> str:
        env = {k: v for k, v in os.environ.items() if k not in ("MONGODB_URI", "PYTEST_ADDOPTS")}
        done = subprocess.run(
            [sys.executable, "-W", "ignore", *command],
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return said

    def test(self, *options: str) -> str:
        return self.run("manage.py", "test", "--noinput", *options)


def embedded(tmp_path: pathlib.Path, **more: Any) -> Project:
    with _core.Client(f"docstore://{tmp_path}/shop.docstore") as client:
        client.run("shop", {"insert": "item", "documents": [DEVELOPERS]})
    return Project(tmp_path, {"db": "shop", **more})


def found(path: pathlib.Path) -> dict[str, Any]:
    with _core.Client(f"docstore://{path}") as client:
        databases = client.run("admin", {"listDatabases": 1, "nameOnly": True})["databases"]
        return {
            f"{db['name']}.{one['name']}": list(client.cursor(db["name"], {"find": one["name"]}))
            for db in databases
            for one in client.cursor(db["name"], {"listCollections": 1})
        }


@pytest.mark.parametrize("options", [(), ("--parallel", "2"), ("--keepdb", "--reverse")])
def test_manage_py_test(tmp_path: pathlib.Path, options: tuple[str, ...]) -> None:
    said = embedded(tmp_path).test(*options)
    assert "Ran 15 tests" in said
    assert found(tmp_path / "shop.docstore") == {"shop.item": [DEVELOPERS]}


def test_a_file_named_by_its_uri_is_left_alone(tmp_path: pathlib.Path) -> None:
    project = embedded(tmp_path, host=f"docstore://{tmp_path}/shop.docstore")
    before = {path.name for path in tmp_path.iterdir()}
    project.test()
    assert found(tmp_path / "shop.docstore") == {"shop.item": [DEVELOPERS]}
    assert {path.name for path in tmp_path.iterdir()} - before <= {"__pycache__", "shop.docstore"}


def test_a_connection_made_while_modules_are_imported(tmp_path: pathlib.Path) -> None:
    project = embedded(tmp_path)
    project.write("settings.py", SETTINGS % "None")
    project.write("shop/documents.py", 'import mongodb\nmongodb.connect("shop")\n' +
                  textwrap.dedent(DOCUMENTS))  # fmt: skip
    project.test()
    assert found(tmp_path / "shop.docstore") == {"shop.item": [DEVELOPERS]}


def test_two_aliases_of_one_file_share_a_test_store(tmp_path: pathlib.Path) -> None:
    uri = f"docstore://{tmp_path}/shop.docstore"
    project = embedded(tmp_path)
    project.write(
        "settings.py",
        SETTINGS % repr([{"db": "shop", "host": uri}, {"alias": "b", "db": "shop", "host": uri}]),
    )
    project.write("shop/tests.py", textwrap.dedent(TESTS) + textwrap.dedent("""
        class SharedTests(SimpleTestCase):
            def test_shared(self):
                Item(name="x").save()
                self.assertEqual(Item.objects.using("b").count(), 1)
    """))  # fmt: skip
    project.test()
    assert found(tmp_path / "shop.docstore") == {"shop.item": [DEVELOPERS]}


def test_pytest_django(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("pytest_django")
    project = embedded(tmp_path)
    said = project.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "pytests", "shop/tests.py")
    assert "24 passed" in said
    assert found(tmp_path / "shop.docstore") == {"shop.item": [DEVELOPERS]}


@pytest.mark.parametrize("options", [(), ("--parallel", "2"), ("--keepdb",)])
def test_a_server_gets_a_test_database(
    tmp_path: pathlib.Path, mongod: str, options: tuple[str, ...]
) -> None:
    from pymongo import MongoClient

    name = f"s{uuid.uuid4().hex[:8]}"
    with MongoClient(mongod) as client:
        client[name].item.insert_one(DEVELOPERS)
        client[f"test_{name}"].item.insert_one({"name": "of an older run"})
        if options:  # kept, or not looked at: workers have databases of their own
            client.drop_database(f"test_{name}")
        try:
            project = Project(tmp_path, {"db": name, "host": mongod})
            assert "Ran 15 tests" in project.test(*options)
            assert list(client[name].item.find()) == [DEVELOPERS]
            left = {one for one in client.list_database_names() if name in one}
            assert left == {name} | ({f"test_{name}"} if "--keepdb" in options else set())
            assert client[f"test_{name}"].item.count_documents({}) == 0
        finally:
            for one in client.list_database_names():
                if name in one:
                    client.drop_database(one)


def test_other_commands_use_the_developers_store(tmp_path: pathlib.Path) -> None:
    said = embedded(tmp_path).run(
        "manage.py", "shell", "-c",
        "import sys\nassert 'django.test' not in sys.modules\n"
        "from shop.documents import Item\nprint([one.name for one in Item.objects])",
    )  # fmt: skip
    assert "the developer's" in said
