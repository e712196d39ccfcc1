# SPDX-License-Identifier: Apache-2.0
"""Blocks that cannot run as they stand, or only just: what happens with them."""

from typing import Any

import pytest

import mongodb
from mongodb import Document, get_db
from mongodb.errors import MongoError, NotUniqueError, ValidationError


def test_meta_that_names_no_field_is_refused_when_it_is_used(connected: str, seed: Any) -> None:
    mongodb.connect(f"second_{get_db().name}", alias="secondary", host=connected)
    with pytest.raises(MongoError, match="field1|created_at"):
        seed.run("Meta Options")["MyDocument"]().save()


def test_clean_that_reads_undeclared_fields_fails_as_python_does(connected: str, seed: Any) -> None:
    user = seed.run("Custom Validation")["User"]
    with pytest.raises(AttributeError, match="age"):
        user(name="A").save()


def test_clean_is_called_twice_and_save_returns_nothing(
    connected: str, seed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = seed.run("5. Validation")["User"]
    calls = []
    clean = user.clean
    monkeypatch.setattr(user, "clean", lambda self: calls.append(self) or clean(self))
    assert user(email="a@example.com").save() is None
    assert len(calls) == 2 and user.objects.count() == 1


def test_index_on_undeclared_fields_is_refused(connected: str, seed: Any) -> None:
    text = seed.blocks["Indexing"][0]
    exec("from mongodb import *\nfrom mongodb.fields import *", seed.names)
    with pytest.raises(MongoError, match="created_at|age"):
        exec(text + "\nUser(name='A').save()", seed.names)


def test_class_may_take_the_name_document(connected: str) -> None:
    names: dict[str, Any] = {}
    exec(
        "from mongodb import Document\nfrom mongodb.fields import StringField\n"
        "class Document(Document):\n    title = StringField(required=True)\n"
        "doc = Document(title='My Document')\ndoc.save()\n",
        names,
    )
    assert get_db().document.find_one()["title"] == "My Document"
    assert names["Document"].objects.get().title == "My Document"


def test_default_that_is_no_choice_fails_when_saved(connected: str, seed: Any) -> None:
    names = seed.run("Field Options", my_validator=lambda value: None)

    class Holder(Document):
        name = names["field"]

    assert Holder().name == "default_value"
    with pytest.raises(ValidationError, match="must be one of"):
        Holder().save()
    Holder(name="a").save()
    with pytest.raises(NotUniqueError):
        Holder(name="a").save()


def test_three_indexes_of_one_key_pattern(connected: str) -> None:
    class User(Document):
        name = mongodb.StringField()
        email = mongodb.EmailField()
        meta = {
            "indexes": [
                "email",
                {"fields": ["email"], "unique": True, "sparse": True, "background": True},
            ]
        }

    User.create_index("email", unique=True)
    found = [index for index in get_db().user.list_indexes() if dict(index["key"]) == {"email": 1}]
    assert sorted((bool(i.get("unique")), bool(i.get("sparse"))) for i in found) == [
        (False, False),
        (True, False),
        (True, True),
    ]


def test_database_that_does_not_exist_is_no_failure(connected: str) -> None:
    handle = mongodb.connect("nonexistent_db", alias="new", host=connected)
    assert get_db("new").list_collection_names() == [] and handle.name == "nonexistent_db"


def test_exclude_filters_and_projects(connected: str, seed: Any) -> None:
    user = seed.run("3. Define a Document")["User"]
    user(name="A", email="a@example.com", age=1).save()
    user(name="B", email="b@example.com", age=2).save()
    assert [one.name for one in user.objects.exclude(age=1)] == ["B"]
    assert user.objects.exclude("age").as_command()["projection"] == {"age": 0}
    both = user.objects.exclude("email", name="B")
    assert [one.name for one in both] == ["A"] and both.as_command()["projection"] == {"email": 0}


def test_settings_with_admin_fail_djangos_checks(tmp_path: Any, seed: Any) -> None:
    import subprocess
    import sys

    (tmp_path / "block.py").write_text(seed.blocks["1. Configure Django Settings"][0])
    check = (
        "import django\nfrom django.conf import settings\nnames = {}\n"
        "exec(open('block.py').read(), names)\n"
        "settings.configure(INSTALLED_APPS=names['INSTALLED_APPS'], SECRET_KEY='x',\n"
        "    MONGODB_SETTINGS=names['MONGODB_SETTINGS'])\n"
        "django.setup()\n"
        "from django.core import checks\n"
        "print(sorted({e.id.split('.')[0] for e in checks.run_checks() if e.is_serious()}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    # the admin's own demands; nothing of this package
    assert done.stdout == "['admin']\n", done.stderr
