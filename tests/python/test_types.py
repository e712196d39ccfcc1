# SPDX-License-Identifier: Apache-2.0
"""What type checkers say of a project that uses the documents: both of them, right and wrong."""

import inspect
import json
import pathlib
import re
import runpy
import subprocess
import sys

import pytest

import mongodb
import mongodb.typed

TYPES = pathlib.Path(__file__).parents[1] / "types"
PROJECT = TYPES / "project"


def mypy(folder: pathlib.Path) -> set[tuple[str, int]]:
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--no-color"]
    command += ["--config-file", "", "--cache-dir", str(folder), "right.py", "wrong.py"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {(n, int(at)) for n, at in re.findall(r"^([^:\n]+):(\d+): error", done.stdout, re.M)}


def pyright(folder: pathlib.Path) -> set[tuple[str, int]]:
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({"include": [str(PROJECT)], "typeCheckingMode": "strict"}))
    command = [str(pathlib.Path(sys.executable).with_name("basedpyright")), "--outputjson"]
    command += ["-p", str(config), "--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {(pathlib.Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in found}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_type_checkers_refuse_the_wrong_lines_and_no_others(checker, tmp_path) -> None:
    marked = {
        (file.name, at)
        for file in PROJECT.glob("*.py")
        for at, line in enumerate(file.read_text().splitlines(), 1)
        if line.endswith("# error")
    }
    assert len(marked) > 15
    assert checker(tmp_path) == marked


def test_what_is_right_for_a_type_checker_is_right_for_python() -> None:
    asked = """
from right import Address, Author
author = Author(name="Ada", office=Address(street="Main Street"))
author.validate()
print(author.age, author.nick, author.tags)
"""
    command = [sys.executable, "-c", asked]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout == "0 None []\n", done.stderr


def test_the_stub_of_the_fields_is_written_by_its_program() -> None:
    written = runpy.run_path(str(TYPES / "field_stubs.py"))
    assert written["write"]() == written["STUB"].read_text()


def test_a_signature_names_the_fields() -> None:
    class SignedPerson(mongodb.Document):
        name = mongodb.StringField()
        age = mongodb.IntField()

    class SignedNote(mongodb.DynamicDocument):
        text = mongodb.StringField()

    class SignedOwn(mongodb.Document):
        name = mongodb.StringField()

        def __init__(self, other: int = 0, **values: object) -> None:
            super().__init__(**values)

    assert str(inspect.signature(SignedPerson)) == "(*, id=None, name=None, age=None)"
    assert str(inspect.signature(SignedNote)) == "(*, id=None, text=None, **values)"
    assert str(inspect.signature(SignedOwn)) == "(other: int = 0, **values: object) -> None"


def test_typed_documents_are_documents() -> None:
    class TypedAddress(mongodb.typed.EmbeddedDocument):
        street: mongodb.StringField[str] = mongodb.StringField(required=True)

    class TypedAccount(mongodb.typed.Document):
        owner: mongodb.StringField[str] = mongodb.StringField(required=True)
        place: mongodb.EmbeddedDocumentField[TypedAddress | None] = mongodb.EmbeddedDocumentField(
            TypedAddress
        )

    mongodb.connect(host="docstore://:memory:")
    try:
        TypedAccount(owner="Ada", place=TypedAddress(street="Main Street")).save()
        found = TypedAccount.objects.get(owner="Ada")
        assert found.place is not None and found.place.street == "Main Street"
        assert TypedAccount._get_collection_name() == "typed_account"
        with pytest.raises(mongodb.ValidationError):
            TypedAccount().validate()
    finally:
        mongodb.disconnect_all()
