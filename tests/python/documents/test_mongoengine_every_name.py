# SPDX-License-Identifier: Apache-2.0
"""Every public name of MongoEngine and of Django REST Framework MongoEngine is there."""

import importlib.util
import pathlib

TOP = pathlib.Path(__file__).parents[3]
_spec = importlib.util.spec_from_file_location("names", TOP / "tests" / "names.py")
assert _spec is not None and _spec.loader is not None
names = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(names)


def test_every_public_name_is_there_or_said_to_be_missing() -> None:
    assert set(names.missing()) == set(names.ABSENT)
    kinds = {kind for group in names.GROUPS.values() for kind in group.split()}
    assert kinds == {kind for kind, *_ in names.rows()}


def test_the_count_in_the_docs_is_of_today() -> None:
    page = (TOP / "docs" / "compatibility.md").read_text()
    assert names.BEGIN in page and names.written(page) == page
