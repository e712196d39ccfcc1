# SPDX-License-Identifier: Apache-2.0
"""An index that cannot be made stops inserts, not reads nor what mends the data."""

import logging

import pytest

import mongodb
from mongodb import Document, NotUniqueError, StringField


class Bookmark(Document):
    address = StringField(unique=True)
    title = StringField()


@pytest.fixture
def doubled(connected: str) -> None:
    Bookmark._get_db().bookmark.insert_many([{"address": "a"}, {"address": "a", "title": "x"}])


def test_reads_go_on_and_the_log_names_the_class(doubled: None, caplog) -> None:
    with caplog.at_level(logging.ERROR, "mongodb"):
        assert Bookmark.objects.count() == 2
        assert {one.title for one in Bookmark.objects} == {None, "x"}
        assert Bookmark.objects(title="x").first().address == "a"
    told = [one.getMessage() for one in caplog.records]
    assert len(told) == 1 and "Bookmark" in told[0] and "duplicate key" in told[0]


def test_inserts_are_refused_until_the_index_is_there(doubled: None) -> None:
    assert Bookmark.objects.count() == 2
    with pytest.raises(NotUniqueError):
        Bookmark(address="b").save()
    with pytest.raises(NotUniqueError):
        Bookmark.objects.insert([Bookmark(address="b")])
    assert Bookmark.objects.count() == 2
    assert Bookmark.objects(title="x").update(address="c") == 1
    Bookmark(address="b").save()
    assert "address_1" in Bookmark._get_collection().index_information()
    with pytest.raises(NotUniqueError):
        Bookmark(address="b").save()


def test_other_errors_are_raised_by_reads(connected: str, monkeypatch) -> None:
    def refuse(*args: object) -> None:
        raise mongodb.OperationError("no", code=13)

    monkeypatch.setattr("mongodb.document.make_ready", refuse)
    with pytest.raises(mongodb.OperationError, match="no"):
        Bookmark.objects.count()
