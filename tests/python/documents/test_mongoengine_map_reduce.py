# SPDX-License-Identifier: Apache-2.0
"""Map-reduce on a server, and names of MongoEngine's that do little here."""

import pytest

import mongodb
from mongodb.compat import mongoengine as me
from mongodb.compat.mongoengine.base import _DocumentRegistry
from mongodb.compat.mongoengine.context_managers import (
    no_dereference,
    no_dereferencing_active_for_class,
)
from mongodb.compat.rest_framework_mongoengine import repr as texts
from mongodb.compat.rest_framework_mongoengine import utils

MAP = "function() { this[~tags].forEach(tag => emit(tag, 1)); }"
REDUCE = "function(key, values) { return Array.sum(values); }"


class Reduced(me.Document):
    tags = me.ListField(me.StringField(), db_field="t")
    friend = me.ReferenceField("self")


def test_map_reduce_runs_on_a_server(mongod: str) -> None:
    me.connect("reduced", host=mongod)
    try:
        me.get_connection().drop_database("reduced")
        Reduced(tags=["a", "b"]).save()
        one = Reduced(tags=["a"]).save()
        for output in ("inline", "results", {"merge": "results"}):
            found = Reduced.objects.map_reduce(MAP, REDUCE, output)
            assert {each.key: each.value for each in found} == {"a": 2, "b": 1}
        doubled = "function(key, value) { return value * factor; }"
        found = Reduced.objects(tags="b").map_reduce(
            MAP, REDUCE, "inline", finalize_f=doubled, scope={"factor": 10}
        )
        assert {each.key: each.value for each in found} == {"a": 10, "b": 10}
        result = me.MapReduceDocument(Reduced, Reduced._get_collection(), str(one.pk), 1)
        assert result.object == one
        with pytest.raises(TypeError, match="output"):
            list(Reduced.objects.map_reduce(MAP, REDUCE, 5))
    finally:
        me.get_connection().drop_database("reduced")
        me.disconnect_all()


def test_map_reduce_is_refused_where_there_is_no_javascript(memory: None) -> None:
    with pytest.raises(mongodb.NotSupportedError, match="JavaScript"):
        list(Reduced.objects.map_reduce(MAP, REDUCE, "inline"))


def test_names_that_do_little(memory: None) -> None:
    assert _DocumentRegistry.get("Reduced") is Reduced and Reduced().my_metaclass is type(Reduced)
    with no_dereference(Reduced):
        assert no_dereferencing_active_for_class(Reduced)
    assert not no_dereferencing_active_for_class(Reduced)
    with pytest.warns(DeprecationWarning, match="snapshot"):
        Reduced.objects.snapshot(True)
    info = utils.get_field_info(Reduced)
    assert (info.pk.name, list(info.fields), list(info.references)) == (
        "id", ["tags", "tags.child"], ["friend"],
    )  # fmt: skip
    assert utils.get_relation_info(Reduced.friend).related_model is Reduced
    assert texts.mongo_field_repr(Reduced.tags) == "<mongodb.fields.ListField: tags>"
