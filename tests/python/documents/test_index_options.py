# SPDX-License-Identifier: Apache-2.0
"""Options of indexes reach the store, or are refused: none is dropped without a word."""

from typing import Any

import pytest

from mongodb import Document, IntField, OperationError
from mongodb.errors import LookUpError

WRONG_KIND = {
    "background": "yes",
    "unique": "yes",
    "sparse": "yes",
    "hidden": "yes",
    "expireAfterSeconds": "5",
    "partialFilterExpression": 5,
    "collation": "en",
    "weights": {"n": 1},  # of text indexes alone
    "nonsense": 1,
}


def declared(name: str, **meta: Any) -> Any:
    """A class of this name with one field."""
    return type(name, (Document,), {"n": IntField(), "meta": {"collection": "optioned", **meta}})


def made(cls: Any) -> dict[str, Any]:
    """What the store says of the index on `n`."""
    [found] = [one for one in cls._get_collection().list_indexes() if "n" in one["key"]]
    return {key: value for key, value in found.items() if key not in ("v", "key", "name")}


@pytest.mark.parametrize("background", [True, False])
def test_background_is_sent_as_it_was_asked_for(connected: str, background: bool) -> None:
    ways = [
        declared("OptBackgroundSpec", indexes=[{"fields": ["n"], "background": background}]),
        declared("OptBackgroundOpts", indexes=["n"], index_opts={"background": background}),
        declared("OptBackgroundMeta", indexes=["n"], index_background=background),
        # what one index says comes before what all of them say
        declared(
            "OptBackgroundOver",
            indexes=[{"fields": ["n"], "background": background}],
            index_background=not background,
        ),
    ]
    for cls in ways:
        cls.drop_collection()
        cls.ensure_indexes()
        assert made(cls).get("background", False) is background, cls.__name__
    cls = declared("OptBackgroundMade")
    cls.drop_collection()
    assert cls.create_index("n", background=background) == "n_1"
    assert made(cls).get("background", False) is background


def test_an_index_in_the_background_is_the_same_index(connected: str) -> None:
    for at, background in enumerate([False, True, False]):
        cls = declared(f"OptSame{at}", indexes=[{"fields": ["n"], "background": background}])
        cls.ensure_indexes()
        assert cls.create_index("n", background=not background) == "n_1"
    assert len(cls._get_collection().index_information()) == 2


@pytest.mark.parametrize("option", WRONG_KIND)
def test_an_option_of_another_kind_is_refused_by_name(connected: str, option: str) -> None:
    wrong = {option: WRONG_KIND[option]}
    ways = [
        declared("OptWrongSpec", indexes=[{"fields": ["n"], **wrong}]),
        declared("OptWrongOpts", indexes=["n"], index_opts=wrong),
    ]
    for cls in ways:
        with pytest.raises(OperationError, match=option):
            cls.ensure_indexes()
        with pytest.raises(OperationError, match=option):
            cls(n=1).save()
    cls = declared("OptWrongMade")
    with pytest.raises(OperationError, match=option):
        cls.create_index("n", **wrong)
    with pytest.raises(OperationError, match=option):
        cls.ensure_index("n", **wrong)
    assert cls.objects.count() == 0


def test_meta_of_another_kind_is_refused_by_name(connected: str) -> None:
    with pytest.raises(OperationError, match="background"):
        declared("OptMetaBackground", indexes=["n"], index_background="yes").ensure_indexes()
    with pytest.raises(LookUpError, match="OptMetaOpts: index_opts is a dict"):
        declared("OptMetaOpts", indexes=["n"], index_opts=5).ensure_indexes()


@pytest.mark.parametrize(
    "options", [{"unique": True}, {"sparse": True}, {"expireAfterSeconds": 60}], ids=str
)
def test_an_index_that_has_other_options_is_not_taken_for_it(
    connected: str, options: dict[str, Any]
) -> None:
    first = declared("OptOtherFirst", indexes=["n"])
    first.ensure_indexes()
    with pytest.raises(OperationError, match="n_1"):
        declared("OptOtherSecond", indexes=[{"fields": ["n"], **options}]).ensure_indexes()
    assert made(first) == {}
