# SPDX-License-Identifier: Apache-2.0
"""`manage.py documents` and Django's system checks, in a project of their own."""

import pathlib
import subprocess
import sys

import bson
import pytest

import mongodb
from mongodb import MongoError, OperationError
from mongodb.connection import get_connection_handle
from mongodb.management import files
from mongodb.management.indexes import Place

MANAGE = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
SETTINGS = """
SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["mongodb", "store"]
MONGODB_SETTINGS = {"db": "shop"}
BASE_DIR = %r
"""
MODELS = """
from mongodb import Document, EmailField, IntField, StringField

class Shopper(Document):
    name = StringField(required=True)
    email = EmailField(unique=True)
    age = IntField(min_value=0)
    meta = {"indexes": ["name", {"fields": ["age"], "sparse": True}]}

class Parcel(Document):
    to = StringField()
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "settings.py").write_text(SETTINGS % str(tmp_path))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "__init__.py").touch()
    (tmp_path / "store" / "models.py").write_text(MODELS)
    return tmp_path


def manage(
    project: pathlib.Path, *arguments: str, fails: bool = False
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == fails, done.stdout + done.stderr
    return done


def shell(project: pathlib.Path, code: str) -> str:
    return manage(project, "documents", "shell", "-c", code).stdout.splitlines()[-1]


def test_indexes_are_compared_made_and_dropped(project: pathlib.Path) -> None:
    compared = manage(project, "documents", "indexes").stdout
    assert "default: shopper (Shopper)" in compared and "default: parcel (Parcel)" in compared
    assert "+ name_1 {name: 1}: missing" in compared
    assert "+ email_1 {email: 1} (unique): missing" in compared
    manage(project, "documents", "indexes", "--check", fails=True)
    made = manage(project, "documents", "indexes", "--create").stdout
    assert made.count("missing, made") == 3
    assert "missing" not in manage(project, "documents", "indexes", "--check").stdout

    change = (
        "c = Shopper._get_collection(); c.drop_index('age_1'); c.create_index('age');"
        "c.create_index('old'); print(len(c.index_information()))"
    )
    assert shell(project, change) == "5"
    differs = manage(project, "documents", "indexes", "Shopper", "--create").stdout
    assert "! declared age_1 {age: 1} (sparse), stored age_1 {age: 1}" in differs
    assert "- old_1 {old: 1}: not declared" in differs
    dropped = manage(project, "documents", "indexes", "--drop-extra").stdout
    assert "- old_1 {old: 1}: not declared, dropped" in dropped
    same = manage(project, "documents", "indexes", "--check").stdout
    assert same.count("  = ") == 3 and "!" not in same


def test_groups_are_no_document_of_a_project_whose_users_are_models(project: pathlib.Path) -> None:
    settings = (project / "settings.py").read_text()
    apps = '["django.contrib.auth", "django.contrib.contenttypes", "mongodb", "store"]'
    (project / "settings.py").write_text(settings.replace('["mongodb", "store"]', apps))
    manage(project, "documents", "indexes", "--create")
    assert "auth_groups" not in manage(project, "documents", "indexes", "--check").stdout


def test_an_index_that_cannot_be_made_is_told_and_the_others_are_made(
    project: pathlib.Path,
) -> None:
    double = "; ".join(["Shopper._get_db().shopper.insert_one({'email': 'a@b.de'})"] * 2)
    shell(project, f"{double}; print()")
    done = manage(project, "documents", "indexes", "--create", fails=True)
    assert "email_1" in done.stderr and "duplicate key" in done.stderr
    assert "+ name_1 {name: 1}: missing, made" in done.stdout


def test_stored_documents_are_validated(project: pathlib.Path) -> None:
    insert = "Shopper._get_db().shopper.insert_many([{'name': 'Ada'}, {'age': -1}]); print()"
    shell(project, insert)
    done = manage(project, "documents", "check", fails=True)
    assert "Shopper: 2 documents, 1 with errors" in done.stdout
    assert "name" in done.stdout and "age" in done.stdout
    assert "1 documents do not fit their classes" in done.stderr
    manage(project, "documents", "check", "Parcel")
    assert (
        "known are: Parcel, Shopper"
        in manage(project, "documents", "check", "Parcels", fails=True).stderr
    )


def test_what_is_dumped_is_loaded_again(project: pathlib.Path) -> None:
    many = "[Shopper(name=f'n{i}', email=f'e{i}@b.de').save() for i in range(30)]; print()"
    shell(project, many)
    manage(project, "documents", "dump", "out")
    documents = bson.decode_all((project / "out" / "shop" / "shopper.bson").read_bytes())
    assert len(documents) == 30 and {one["name"] for one in documents} >= {"n0", "n29"}

    change = (
        "Shopper.objects(name='n3').delete(); Shopper.objects(name='n4').update(name='other');"
        "print(Shopper.objects.count())"
    )
    assert shell(project, change) == "29"
    loaded = manage(project, "documents", "load", "out").stdout
    assert "shopper.bson: 1 documents new, 29 there already" in loaded
    assert shell(project, "print(Shopper.objects(name='other').count())") == "1"
    assert (
        "0 documents new, 30 replaced"
        in manage(project, "documents", "load", "out", "--replace").stdout
    )
    assert shell(project, "print(Shopper.objects(name='other').count())") == "0"

    (project / "shop.docstore").unlink()
    manage(project, "documents", "load", "out")
    asked = "print(Shopper.objects.count(), len(Shopper._get_db().shopper.index_information()))"
    assert shell(project, asked) == "30 4"

    whole = (project / "out" / "shop" / "shopper.bson").read_bytes()
    (project / "out" / "shop" / "shopper.bson").write_bytes(whole[:-3])
    done = manage(project, "documents", "load", "out", fails=True)
    assert "shopper.bson: byte" in done.stderr and "ends within" in done.stderr


def test_files_and_counters_are_dumped_with_their_documents(project: pathlib.Path) -> None:
    models = """
from mongodb import Document, EmbeddedDocument
from mongodb.fields import *

class Sheet(EmbeddedDocument):
    file = FileField(collection_name="sheets")

class Bill(Document):
    number = SequenceField(primary_key=True)
    what = StringField()
    sheets = ListField(EmbeddedDocumentField(Sheet))

class Memo(Document):
    number = SequenceField(collection_name="memos")
"""
    (project / "store" / "models.py").write_text(models)
    write = (
        "from store.models import Sheet; sheet = Sheet(); sheet.file.put(b'paper');"
        "[Bill(what=f'w{i}', sheets=[sheet]).save() for i in range(3)]; print()"
    )
    shell(project, write)
    told = manage(project, "documents", "dump", "out").stdout
    assert "mongoengine.counters.bson: 1 documents" in told and "fs.files" not in told
    (project / "shop.docstore").unlink()
    manage(project, "documents", "load", "out")
    read = (
        "bill = Bill(what='new').save();"
        "print(bill.number, Bill.objects.count(), Bill.objects.first().sheets[0].file.read())"
    )
    assert shell(project, read) == "4 4 b'paper'"
    assert "counters" not in manage(project, "documents", "dump", "memos", "Memo").stdout


def test_a_loaded_counter_never_goes_down(project: pathlib.Path) -> None:
    (project / "store" / "models.py").write_text(
        MODELS
        + """
from mongodb import SequenceField

class Receipt(Document):
    number = SequenceField(primary_key=True)
"""
    )
    make = "print([Receipt().save().number for _ in range(%d)])"
    assert shell(project, make % 5) == "[1, 2, 3, 4, 5]"
    manage(project, "documents", "dump", "out", "Receipt")
    (project / "shop.docstore").unlink()
    assert shell(project, make % 2) == "[1, 2]"
    manage(project, "documents", "load", "out")
    assert shell(project, make % 3) == "[6, 7, 8]"
    manage(project, "documents", "load", "out", "--replace")
    assert shell(project, make % 1) == "[9]"


def test_checks_tell_unknown_connections_and_indexes_that_exclude_each_other(
    project: pathlib.Path,
) -> None:
    manage(project, "check")
    (project / "store" / "models.py").write_text(
        MODELS
        + """
class Elsewhere(Document):
    meta = {"db_alias": "archive"}

class OtherParcel(Document):
    name = StringField()
    meta = {"collection": "shopper", "indexes": [{"fields": ["name"], "unique": True}]}
"""
    )
    told = manage(project, "check", fails=True).stderr
    assert "mongodb.E001" in told and "'archive'" in told and "Elsewhere" in told
    assert "mongodb.E002" in told and "'name_1'" in told and "OtherParcel" in told
    (project / "settings.py").write_text(
        (SETTINGS % str(project)).replace("MONGODB_SETTINGS", "OTHER")
    )
    assert "mongodb.W001" in manage(project, "check", fails=True).stderr


WRONG = [
    "{", "[]", "null", "[" * 100_000, '{"options": {"$oid": "zz"}}', '{"options": [1]}',
    '{"options": null}', '{"options": {"create": "other"}}', '{"options": {"$db": "other"}}',
    '{"indexes": null}', '{"indexes": ["name"]}', '{"indexes": [{"name": "a"}]}',
    '{"indexes": [{"key": 5, "name": "a"}]}', '{"collectionName": 5}',
    '{"collectionName": "../other"}',
]  # fmt: skip


@pytest.mark.parametrize("about", WRONG, ids=lambda about: about[:40])
def test_a_wrong_description_of_a_collection_is_an_error_of_its_own(
    tmp_path: pathlib.Path, about: str
) -> None:
    mongodb.connect("loaded", host="docstore://:memory:", alias="loaded")
    file = tmp_path / "thing.bson"
    file.write_bytes(bson.encode({"_id": 1}))
    file.with_suffix(".metadata.json").write_text(about)
    try:
        with pytest.raises(MongoError):
            files.load("loaded", file)
        assert get_connection_handle("loaded").collection_names() == set()
    finally:
        mongodb.disconnect("loaded")


def test_a_document_without_key_replaces_none(tmp_path: pathlib.Path) -> None:
    mongodb.connect("loaded", host="docstore://:memory:", alias="loaded")
    file = tmp_path / "thing.bson"
    file.write_bytes(bson.encode({"a": 1}))
    try:
        with pytest.raises(OperationError, match=r"thing\.bson: .*without _id"):
            files.load("loaded", file, replace=True)
    finally:
        mongodb.disconnect("loaded")


class Elsewhere(mongodb.Document):
    meta = {"collection": "a/../../../outside 5%", "db_alias": "loaded"}


def test_a_dump_stays_in_its_folder(tmp_path: pathlib.Path) -> None:
    mongodb.connect("loaded", host="docstore://:memory:", alias="loaded")
    try:
        Elsewhere().save()
        file, number = files.dump(Place("loaded", Elsewhere._get_collection_name(), [Elsewhere]),
                                  tmp_path / "here")  # fmt: skip
        assert (file.parent, number) == (tmp_path / "here" / "loaded", 1)
        assert [one.name for one in tmp_path.iterdir()] == ["here"]
        Elsewhere.objects.delete()
        assert files.load("loaded", file) == (1, 0) and Elsewhere.objects.count() == 1
    finally:
        mongodb.disconnect("loaded")


def test_validators_are_shown_and_applied(project: pathlib.Path) -> None:
    models = project / "store" / "models.py"
    declared = MODELS.replace("    to = StringField()", "    to = StringField(max_length=3)")
    models.write_text(declared + '    meta = {"json_schema": True}\n')
    shown = manage(project, "documents", "schema").stdout
    assert shown.startswith("+ default: parcel (Parcel)") and '"maxLength": 3' in shown
    failed = manage(project, "documents", "schema", "--check", fails=True)
    assert "lack the validator" in failed.stderr
    assert ", applied" in manage(project, "documents", "schema", "--apply").stdout
    assert manage(project, "documents", "schema", "Parcel", "--check").stdout.startswith("= ")
    models.write_text(declared.replace("=3", "=4") + '    meta = {"json_schema": True}\n')
    assert manage(project, "documents", "schema").stdout.startswith("! ")
