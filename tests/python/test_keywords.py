# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: E501 - a table is read by its lines
"""What each keyword of filter() and update() says to MongoDB, and which are refused."""

import datetime
import decimal
import re
import uuid
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex

from mongodb import Document, DynamicDocument, EmbeddedDocument, Q, ValidationError, _core
from mongodb.errors import InvalidQueryError, LookUpError
from mongodb.fields import (
    DateTimeField,
    DecimalField,
    DictField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    FloatField,
    IntField,
    ListField,
    ReferenceField,
    StringField,
)
from mongodb.queryset.lookups import build_filter, db_path, merge
from mongodb.queryset.updates import build_update, encode_update

OID = ObjectId()


class KeywordInner(EmbeddedDocument):
    n = IntField(db_field="nn")
    name = StringField()


class Post(Document):
    title = StringField(db_field="ti")
    n = IntField()
    f = FloatField()
    price = DecimalField()
    at = DateTimeField()
    tags = ListField(StringField(max_length=3))
    grid = ListField(ListField(IntField()))
    loose = ListField()
    extra = DictField()
    inner = EmbeddedDocumentField(KeywordInner, db_field="in_")
    many = EmbeddedDocumentListField(KeywordInner, db_field="mm")
    other = ReferenceField("self")
    others = ListField(ReferenceField("self"))
    type = StringField()
    size = IntField()
    meta = {"allow_inheritance": True}


class Pushing(Document):
    push = DictField()
    tags = ListField()


class Longer(Post):
    more = StringField()


class Abstract(Document):
    n = IntField()
    title = StringField(db_field="ti")
    meta = {"abstract": True}


class Free(DynamicDocument):
    n = IntField()


FILTERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"title": "a"}, {"ti": "a"}),
    ({"ti": "a"}, {"ti": "a"}),
    ({"title__exact": re.compile("^a")}, {"ti": Regex("^a")}),
    ({"title": Regex("^a", "i")}, {"ti": Regex("^a", "i")}),
    ({"n": "5"}, {"n": 5}),
    ({"pk": str(OID)}, {"_id": OID}),
    ({"id__in": (str(OID),)}, {"_id": {"$in": [OID]}}),
    ({"n__ne": 1, "title": "a"}, {"n": {"$ne": 1}, "ti": "a"}),
    ({"n__gt": "1", "n__lte": 3}, {"n": {"$gt": 1, "$lte": 3}}),
    ({"n__in": {1}}, {"n": {"$in": [1]}}),
    ({"n__nin": [1, None]}, {"n": {"$nin": [1, None]}}),
    ({"n__not__in": [1]}, {"n": {"$not": {"$in": [1]}}}),
    ({"n__not__gt": 1}, {"n": {"$not": {"$gt": 1}}}),
    ({"n__not": 1}, {"n": {"$ne": 1}}),
    ({"n__not__exact": 1}, {"n": {"$ne": 1}}),
    ({"n__not": {"$gt": 1}}, {"n": {"$not": {"$gt": 1}}}),
    ({"title__not": re.compile("a")}, {"ti": {"$not": Regex("a")}}),
    ({"extra__not": {"a": 1}}, {"extra": {"$ne": {"a": 1}}}),
    ({"extra__not": {}}, {"extra": {"$ne": {}}}),
    ({"tags": "a"}, {"tags": "a"}),
    ({"tags__all": ["a", re.compile("b")]}, {"tags": {"$all": ["a", Regex("b")]}}),
    ({"tags__in": [["a", "b"], "c"]}, {"tags": {"$in": [["a", "b"], "c"]}}),
    ({"grid__in": [[1, "2"]]}, {"grid": {"$in": [[1, 2]]}}),
    ({"tags__size": "2"}, {"tags": {"$size": 2}}),
    ({"tags__0": "a"}, {"tags.0": "a"}),
    ({"many__0__n": "1"}, {"mm.0.nn": 1}),
    ({"inner__n__gte": "1"}, {"in_.nn": {"$gte": 1}}),
    ({"extra__a__b": 1}, {"extra.a.b": 1}),
    ({"other": str(OID)}, {"other": OID}),
    ({"other__id": OID}, {"other": OID}),
    ({"others__pk__in": [str(OID)]}, {"others": {"$in": [OID]}}),
    ({"type__": "x"}, {"type": "x"}),
    ({"type": "x"}, {"type": "x"}),
    ({"size__size": 1}, {"size": {"$size": 1}}),
    ({"extra__size": 1}, {"extra": {"$size": 1}}),
    ({"n__exists": 1}, {"n": {"$exists": True}}),
    ({"n__mod": (2, 1.0)}, {"n": {"$mod": [2, 1.0]}}),
    ({"loose__type": str}, {"loose": {"$type": "string"}}),
    ({"loose__type": int}, {"loose": {"$type": ["int", "long"]}}),
    ({"loose__type": [float, int, "bool", 7]},
     {"loose": {"$type": ["double", "int", "long", "bool", 7]}}),
    ({"loose__type": (bytes,)}, {"loose": {"$type": "binData"}}),
    ({"title__icontains": "a."}, {"ti": Regex("a\\.", "i")}),
    ({"title__not__startswith": "a"}, {"ti": {"$not": Regex("^a")}}),
    ({"many__elemMatch": {"n": "1", "name": "x"}}, {"mm": {"$elemMatch": {"nn": 1, "name": "x"}}}),
    ({"many__match": {"n__gt": 1}}, {"mm": {"$elemMatch": {"nn": {"$gt": 1}}}}),
    ({"many__elemMatch": {"$or": [{"nn": 1}]}}, {"mm": {"$elemMatch": {"$or": [{"nn": 1}]}}}),
    ({"many__elemMatch": Q(n=1) | Q(n=2)}, {"mm": {"$elemMatch": {"$or": [{"nn": 1}, {"nn": 2}]}}}),
    ({"many__elemMatch": KeywordInner(n=1)}, {"mm": {"$elemMatch": {"nn": 1}}}),
    ({"tags__elemMatch": {"$gt": "a"}}, {"tags": {"$elemMatch": {"$gt": "a"}}}),
    ({"more": "x"}, {"more": "x"}),
    ({"_cls": "Post"}, {"_cls": "Post"}),
    ({"__raw__": {"x": 1}, "n": 1}, {"x": 1, "n": 1}),
    ({"price": "1.5"}, {"price": Decimal128("1.5")}),
    ({"n": None}, {"n": None}),
]  # fmt: skip

REFUSED_FILTERS: list[dict[str, Any]] = [
    {"nope": 1}, {"title__nope": 1}, {"n__year": 1},
    {"n__in": "ab"}, {"n__in": 5}, {"n__in": {"a": 1}}, {"tags__size": -1}, {"n__mod": 2},
    {"n__mod": [1]}, {"n__mod": [0, 1]}, {"n__mod": ["1", 1]}, {"n__mod": [2, "1"]},
    {"loose__type": object}, {"many__elemMatch": 5}, {"tags__elemMatch": Q(n=1)},
    {"n__contains": 1}, {"title__regex": "("}, {"n": "x"}, {"title__0__x": 1},
    {"n__in": Post()}, {"at": "x"},
]  # fmt: skip

UPDATES: list[tuple[dict[str, Any], Any]] = [
    ({"title": "a"}, {"$set": {"ti": "a"}}),
    ({"set__title": "a", "n": 1}, {"$set": {"ti": "a", "n": 1}}),
    ({"unset__title": 1, "inc__n": 2}, {"$unset": {"ti": 1}, "$inc": {"n": 2}}),
    ({"dec__n": 2}, {"$inc": {"n": -2}}),
    ({"dec__f": 1.5}, {"$inc": {"f": -1.5}}),
    ({"mul__n": 2}, {"$mul": {"n": 2}}),
    ({"inc__price": "1.5"}, {"$inc": {"price": Decimal128("1.5")}}),
    ({"dec__price": decimal.Decimal(1)}, {"$inc": {"price": Decimal128("-1")}}),
    ({"min__n": "1", "max__f": 2}, {"$min": {"n": 1}, "$max": {"f": 2.0}}),
    ({"min__n": None}, {"$min": {"n": None}}),
    ({"push__tags": "a"}, {"$push": {"tags": "a"}}),
    ({"push__tags__0": "a"}, {"$push": {"tags": {"$each": ["a"], "$position": 0}}}),
    ({"push__tags__2": ["a", "b"]}, {"$push": {"tags": {"$each": ["a", "b"], "$position": 2}}}),
    ({"push__grid": [1, "2"]}, {"$push": {"grid": [1, 2]}}),
    ({"push__loose": [1, "2"]}, {"$push": {"loose": [1, "2"]}}),
    ({"push__many": KeywordInner(n=1)}, {"$push": {"mm": {"nn": 1}}}),
    ({"push_all__tags": ["a"]}, {"$push": {"tags": {"$each": ["a"]}}}),
    ({"push_all__tags": ("a", "b")}, {"$push": {"tags": {"$each": ["a", "b"]}}}),
    ({"add_to_set__tags": "a"}, {"$addToSet": {"tags": "a"}}),
    ({"add_to_set__tags": ["a", "b"]}, {"$addToSet": {"tags": {"$each": ["a", "b"]}}}),
    ({"pull__tags": "a"}, {"$pull": {"tags": "a"}}),
    ({"pull__tags__in": ["a"]}, {"$pull": {"tags": {"$in": ["a"]}}}),
    ({"pull__many": {"n": "1"}}, {"$pull": {"mm": {"nn": 1}}}),
    ({"pull__many": KeywordInner(n=1)}, {"$pull": {"mm": {"nn": 1}}}),
    ({"pull__many__n": "1"}, {"$pull": {"mm": {"nn": 1}}}),
    ({"pull__many__n__gt": 1}, {"$pull": {"mm": {"nn": {"$gt": 1}}}}),
    ({"pull__loose__x": 1}, {"$pull": {"loose": {"x": 1}}}),
    ({"pull_all__tags": ["a"]}, {"$pullAll": {"tags": ["a"]}}),
    ({"pop__tags": "1"}, {"$pop": {"tags": 1}}),
    ({"pop__tags": -1}, {"$pop": {"tags": -1}}),
    ({"rename__title": "n"}, {"$rename": {"ti": "n"}}),
    ({"rename__n": "title"}, {"$rename": {"n": "ti"}}),
    ({"rename__n": "fresh"}, {"$rename": {"n": "fresh"}}),
    ({"set_on_insert__n": "1"}, {"$setOnInsert": {"n": 1}}),
    ({"current_date__at": True}, {"$currentDate": {"at": True}}),
    ({"current_date__at": {"$type": "date"}}, {"$currentDate": {"at": {"$type": "date"}}}),
    ({"set__many__S__n": "3"}, {"$set": {"mm.$.nn": 3}}),
    ({"set__many__0__n": "3"}, {"$set": {"mm.0.nn": 3}}),
    ({"set__tags__1": "x"}, {"$set": {"tags.1": "x"}}),
    ({"set__type__": "x"}, {"$set": {"type": "x"}}),
    ({"set__inner": KeywordInner(n=1)}, {"$set": {"in_": {"nn": 1}}}),
    ({"set__extra": {"a": 2}}, {"$set": {"extra": {"a": 2}}}),
    ({"n": None}, {"$set": {"n": None}}),
    ({"__raw__": {"$set": {"x": 1}}, "n": 1}, {"$set": {"x": 1, "n": 1}}),
    ({"__raw__": [{"$set": {"x": 1}}]}, [{"$set": {"x": 1}}]),
]

REFUSED_UPDATES: list[dict[str, Any]] = [
    {"nope": 1}, {"set__nope": 1}, {"n": "x"}, {"title": 5}, {"push__tags": 5},
    {"push__tags": "long"},
    {"push__tags": ["ok", "long"]}, {"add_to_set__tags": ["long"]}, {"set__tags": ["long"]},
    {"push_all__tags": "a"}, {"pull_all__tags": "a"}, {"dec__n": "1"}, {"dec__n": True},
    {"pop__tags": "x"}, {"min__n": "x"}, {"__raw__": [{"$set": {"x": 1}}], "n": 1}, {},
    {"set__other__title": 1}, {"set__inner__n": "x"}, {"set__grid": [["x"]]},
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(FILTERS)))
def test_what_a_filter_says(at: int) -> None:
    given, expected = FILTERS[at]
    assert Post.objects.clear_cls_query()(**given)._query == expected
    assert build_filter(Post, given) == expected
    assert Q(**given).to_query(Post) == expected


@pytest.mark.parametrize("at", range(len(REFUSED_FILTERS)))
def test_filters_that_are_refused(at: int) -> None:
    with pytest.raises((InvalidQueryError, ValidationError, TypeError)):
        Post.objects(**REFUSED_FILTERS[at]).as_command()


@pytest.mark.parametrize("at", range(len(UPDATES)))
def test_what_an_update_says(at: int) -> None:
    given, expected = UPDATES[at]
    for made in (encode_update(Post, dict(given)), build_update(Post, given)):
        assert (made if isinstance(made, list) else _core.Raw(made).decode()) == expected


@pytest.mark.parametrize("at", range(len(REFUSED_UPDATES)))
def test_updates_that_are_refused(at: int) -> None:
    for make in (encode_update, build_update):
        with pytest.raises((InvalidQueryError, ValidationError, TypeError)):
            make(Post, dict(REFUSED_UPDATES[at]))


def test_a_field_named_like_an_operator_is_a_field_where_that_makes_sense() -> None:
    for given, expected in (
        ({"push__tags": 1}, {"$set": {"push.tags": 1}}),
        ({"push": {"a": 1}}, {"$set": {"push": {"a": 1}}}),
        ({"push__push__a": 1}, {"$set": {"push.push.a": 1}}),
        ({"add_to_set__tags": 1}, {"$addToSet": {"tags": 1}}),
    ):
        for made in (encode_update(Pushing, dict(given)), build_update(Pushing, given)):
            assert _core.Raw(made).decode() == expected


def test_an_abstract_class_has_filters_too() -> None:
    assert build_filter(Abstract, {"title": "a", "n__gt": "1"}) == {"ti": "a", "n": {"$gt": 1}}
    assert build_filter(Abstract, {"__raw__": {"x": 1}, "n": 1}) == {"x": 1, "n": 1}
    assert build_filter(Abstract, {}) == {}
    assert build_filter(Free, {"any__thing": "1", "n": "1"}) == {"any.thing": "1", "n": 1}


def test_paths_by_name() -> None:
    for name in ("inner__n", "inner.n", "in_.n"):
        assert db_path(Post, name) == "in_.nn"
    assert (db_path(Post, "pk"), db_path(Post, "id"), db_path(Post, "tags.0")) == (
        "_id", "_id", "tags.0",
    )  # fmt: skip
    with pytest.raises(LookUpError):
        db_path(Post, "inner.nope")


def test_a_refusal_says_what_was_meant() -> None:
    def words(**given: Any) -> str:
        with pytest.raises(InvalidQueryError) as caught:
            Post.objects(**given).as_command()
        return str(caught.value)

    assert "did you mean 'gte'" in words(n__gtee=1)
    assert "write n__gte=... and n__lt=..." in words(n__month=1)
    assert "write at__gte=... and at__lt=..." in words(at__hour=3)
    assert "it has" in words(nope=1)
    long = words(n="x" * 500)
    assert "x" * 199 in long and "…" in long
    assert "…" not in words(n="x" * 198)
    with pytest.raises(ValidationError) as caught:
        Post.objects(many__elemMatch={"n": 1}).update(title=5)
    assert caught.value.field_name == "title"


def test_filters_are_merged_where_they_touch_different_things() -> None:
    for first, second, both in (
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"$and": [{"a": 1}, {"a": 2}]}),
        ({"a": 1}, {"a": 2, "b": 3}, {"$and": [{"a": 1, "b": 3}, {"a": 2}]}),
        ({"a": {"$gt": 1}}, {"a": {"$lt": 3}}, {"a": {"$gt": 1, "$lt": 3}}),
        ({"a": {"$gt": 1}}, {"a": {"$gt": 3}}, {"$and": [{"a": {"$gt": 1}}, {"a": {"$gt": 3}}]}),
        ({"a": {"$gt": 1}}, {"a": {"x": 3}}, {"$and": [{"a": {"$gt": 1}}, {"a": {"x": 3}}]}),
        ({"a": {"x": 1}}, {"a": {"$gt": 3}}, {"$and": [{"a": {"x": 1}}, {"a": {"$gt": 3}}]}),
        ({"a": {}}, {"a": {"$gt": 3}}, {"$and": [{"a": {}}, {"a": {"$gt": 3}}]}),
        ({"$and": [1]}, {"$and": [2]}, {"$and": [1, 2]}),
        ({"$and": [1], "a": 1}, {"a": 2}, {"$and": [1, {"a": 1}, {"a": 2}]}),
        ({"$and": [1], "a": 1}, {"$and": [2], "a": 2}, {"$and": [1, 2, {"a": 1}, {"a": 2}]}),
    ):
        assert merge(first, second) == both


def test_conditions_combine_compare_and_are_shown() -> None:
    a, b, c = Q(n=1), Q(title="b"), Q(f=3.0)
    for given, expected in (
        (a & b, {"n": 1, "ti": "b"}),
        (a | b, {"$or": [{"n": 1}, {"ti": "b"}]}),
        (a | b | c, {"$or": [{"n": 1}, {"ti": "b"}, {"f": 3.0}]}),
        (~a, {"$nor": [{"n": 1}]}),
        (~~a, {"$nor": [{"$nor": [{"n": 1}]}]}),
        (a & ~b, {"n": 1, "$nor": [{"ti": "b"}]}),
        (Q() & a, {"n": 1}),
        (a | Q(), {"n": 1}),
        (Q() | Q(), {}),
        (Q(a, b), {"n": 1, "ti": "b"}),
        (Q(a | b, f=3.0), {"f": 3.0, "$or": [{"n": 1}, {"ti": "b"}]}),
    ):
        assert given.to_query(Post) == expected, given
    assert not Q() and a and Q(a) and ~Q() and (a | b)
    assert a == Q(n=1) and a != b and a != Q(n=2) and a != 1 and hash(a) == hash(Q(n=1))
    assert (a & b) == (Q(n=1) & b) and (a & b) != (a | b) and (a & b) != (b & a) and (a & b) != a
    assert len({a & b, Q(n=1) & b, a | b}) == 2
    assert repr(a | b) == "(Q(**{'n': 1}) | Q(**{'title': 'b'}))"
    assert repr(a & b) == "(Q(**{'n': 1}) & Q(**{'title': 'b'}))"
    assert repr(~a) == "(~Q(**{'n': 1}))"
    for wrong in (lambda: a & 1, lambda: a ^ b, lambda: Q(5), lambda: Q({"n": 1})):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(InvalidQueryError):
        Post.objects(5)


def test_conditions_of_django_are_understood() -> None:
    from django.db.models import F
    from django.db.models import Q as DjangoQ

    objects = Post.objects.clear_cls_query()
    a, b = DjangoQ(n=1), DjangoQ(title="b")
    assert objects(a & b)._query == {"n": 1, "ti": "b"}
    assert objects(a | b)._query == {"$or": [{"n": 1}, {"ti": "b"}]}
    assert objects(~(a | b))._query == {"$nor": [{"$or": [{"n": 1}, {"ti": "b"}]}]}
    assert objects(a & (b | DjangoQ(f=3)))._query == {
        "n": 1, "$or": [{"ti": "b"}, {"f": 3.0}],
    }  # fmt: skip
    for wrong in (DjangoQ(a ^ b), DjangoQ(F("n"))):
        with pytest.raises(InvalidQueryError):
            objects(wrong)


def test_types_by_their_python_names() -> None:
    names = {
        float: "double", bool: "bool", dict: "object", list: "array", type(None): "null",
        None: "null", datetime.datetime: "date", datetime.date: "date", uuid.UUID: "binData",
        decimal.Decimal: "decimal", Decimal128: "decimal", ObjectId: "objectId", Int64: "long",
        Binary: "binData", re.Pattern: "regex", "int": "int", 2: 2,
    }  # fmt: skip
    for one, name in names.items():
        assert build_filter(Post, {"loose__type": one}) == {"loose": {"$type": name}}
    assert build_filter(Post, {"loose__type": tuple}) == {"loose": {"$type": "array"}}
