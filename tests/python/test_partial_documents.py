# SPDX-License-Identifier: Apache-2.0
"""Documents of which a projection loaded a part: what was not loaded is never lost."""

import copy
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import mongodb
from mongodb import fields
from mongodb.errors import OperationError

pytestmark = pytest.mark.usefixtures("connected")


class PartInner(mongodb.EmbeddedDocument):
    a = fields.IntField()
    b = fields.IntField()
    l = fields.ListField(fields.IntField())  # noqa: E741


class PartOuter(mongodb.EmbeddedDocument):
    a = fields.IntField()
    l = fields.ListField(fields.IntField())  # noqa: E741
    k = fields.ListField(fields.IntField())
    f = fields.EmbeddedDocumentField(PartInner)
    d = fields.DictField()


class PartDoc(mongodb.Document):
    e = fields.EmbeddedDocumentField(PartOuter)
    items = fields.EmbeddedDocumentListField(PartInner)
    tags = fields.ListField(fields.IntField())
    other = fields.ListField(fields.IntField())
    name = fields.StringField()


WHOLE = {
    "e": {
        "a": 1,
        "l": [1, 2, 3],
        "k": [7, 8],
        "f": {"a": 1, "b": 2, "l": [5, 6]},
        "d": {"x": 1, "y": [1, 2]},
    },
    "items": [{"a": 1, "b": 2, "l": [1]}, {"a": 3, "b": 4, "l": [2]}],
    "tags": [1, 2, 3, 4],
    "other": [1, 2],
    "name": "n",
}


def stored() -> dict[str, Any]:
    return next({k: v for k, v in one.to_mongo().items() if k != "_id"} for one in PartDoc.objects)


@pytest.fixture(autouse=True)
def whole(connected: str) -> Iterator[None]:
    PartDoc.from_json(json.dumps(WHOLE), created=True).save()
    yield


def changed(**paths: Any) -> dict[str, Any]:
    """WHOLE with values at paths written with __."""
    out = copy.deepcopy(WHOLE)
    for path, value in paths.items():
        *parents, last = path.split("__")
        place: Any = out
        for name in parents:
            place = place[int(name)] if name.isdigit() else place[name]
        place[int(last) if last.isdigit() else last] = value
    return out


LOADS: dict[str, Callable[[], Any]] = {
    "only": lambda: PartDoc.objects.only("e__a").first(),
    "exclude": lambda: PartDoc.objects.exclude("e__l").first(),
    "fields": lambda: PartDoc.objects.fields(e__a=1).first(),
}
CUTS: dict[str, Callable[[], Any]] = {
    "slice": lambda: PartDoc.objects.fields(slice__tags=1).first(),
    "slice_from_end": lambda: PartDoc.objects.fields(slice__tags=-2).first(),
    "elemMatch": lambda: PartDoc.objects.fields(elemMatch__tags={"$gt": 2}).first(),
    "elemMatch_of_none": lambda: PartDoc.objects.fields(elemMatch__tags={"$gt": 9}).first(),
}


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_nested_list_that_was_not_loaded_is_not_replaced(load: Callable[[], Any]) -> None:
    x = load()
    x.e.l.append(9)
    with pytest.raises(OperationError) as error:
        x.save()
    assert "'e.l'" in str(error.value) and "reload('e')" in str(error.value)
    assert stored() == WHOLE


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_adding_to_a_nested_list_by_assignment_operator_is_in_place(
    load: Callable[[], Any],
) -> None:
    x = load()
    x.e.l += [9]
    with pytest.raises(OperationError):
        x.save()
    assert stored() == WHOLE


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_reload_makes_the_change_possible(load: Callable[[], Any]) -> None:
    x = load()
    x.e.l.append(9)
    with pytest.raises(OperationError):
        x.save()
    x.reload("e")
    x.e.l.append(9)
    x.save()
    assert stored() == changed(e__l=[1, 2, 3, 9])


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_reading_what_is_missing_changes_nothing(load: Callable[[], Any]) -> None:
    x = load()
    assert x.e.a == 1
    list(x.e.l)
    x.save()
    assert x._changes() is None
    assert stored() == WHOLE


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_loaded_nested_value_is_saved_as_the_smallest_set(load: Callable[[], Any]) -> None:
    x = load()
    x.e.a = 2
    assert x._delta() == ({"e.a": 2}, {})
    x.save()
    x.e.a = 3
    assert x._delta() == ({"e.a": 3}, {})
    x.save()
    assert stored() == changed(e__a=3)


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_a_nested_assignment_writes_just_that(load: Callable[[], Any]) -> None:
    x = load()
    x.e.l = [1]
    assert x._delta() == ({"e.l": [1]}, {})
    x.save()
    x.e.l.append(2)
    x.save()
    assert stored() == changed(e__l=[1, 2])


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_assigning_the_embedded_document_replaces_it_whole(load: Callable[[], Any]) -> None:
    x = load()
    x.e = PartOuter(a=5)
    x.save()
    x.e.l.append(1)
    x.save()
    assert stored() == changed(e={"a": 5, "l": [1], "k": [], "d": {}})


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_assigning_none_removes_it(load: Callable[[], Any]) -> None:
    x = load()
    x.e = None
    x.save()
    assert stored() == {k: v for k, v in WHOLE.items() if k != "e"}


def test_nested_fields_that_were_loaded_whole_change_in_place() -> None:
    x = PartDoc.objects.only("e__k", "e__f").first()
    x.e.k.append(9)
    x.e.f.l.append(7)
    x.save()
    assert stored() == changed(e__k=[7, 8, 9], e__f__l=[5, 6, 7])
    y = PartDoc.objects.exclude("e__l").first()
    y.e.k.append(10)
    y.e.d["z"] = [3]
    y.save()
    assert stored() == changed(
        e__k=[7, 8, 9, 10], e__f__l=[5, 6, 7], e__d={"x": 1, "y": [1, 2], "z": [3]}
    )


def test_deeper_levels_are_guarded_too() -> None:
    x = PartDoc.objects.only("e__f__a").first()
    x.e.f.l.append(1)
    with pytest.raises(OperationError):
        x.save()
    y = PartDoc.objects.only("e__f__a").first()
    y.e.f.a = 9
    y.save()
    assert stored() == changed(e__f__a=9)


def test_a_dict_of_which_a_key_was_loaded_keeps_the_others() -> None:
    x = PartDoc.objects.only("e__d__x").first()
    x.e.d.setdefault("y", []).append(9)
    with pytest.raises(OperationError):
        x.save()
    y = PartDoc.objects.only("e__d__x").first()
    y.e.d["x"] = 5
    y.save()
    assert stored() == changed(e__d__x=5)


@pytest.mark.parametrize("load", CUTS.values(), ids=CUTS)
def test_a_list_of_which_elements_were_chosen_is_not_cut(load: Callable[[], Any]) -> None:
    for change in (
        lambda x: x.tags.append(9),
        lambda x: x.tags.insert(0, 9),
        lambda x: setattr(x, "tags", x.tags.__iadd__([9])),
    ):
        x = load()
        change(x)
        with pytest.raises(OperationError) as error:
            x.save()
        assert "'tags'" in str(error.value)
    x = load()
    if x.tags:
        x.tags[0] = 9
        with pytest.raises(OperationError):
            x.save()
    assert stored() == WHOLE


@pytest.mark.parametrize("load", CUTS.values(), ids=CUTS)
def test_a_chosen_list_may_be_assigned_and_then_changed(load: Callable[[], Any]) -> None:
    x = load()
    x.tags = [8]
    x.save()
    x.tags.append(9)
    x.save()
    assert stored() == changed(tags=[8, 9])


@pytest.mark.parametrize("load", CUTS.values(), ids=CUTS)
def test_other_fields_beside_a_chosen_list_are_whole(load: Callable[[], Any]) -> None:
    x = load()
    x.other.append(3)
    x.e.l.append(4)
    x.name = "m"
    x.save()
    assert stored() == changed(other=[1, 2, 3], e__l=[1, 2, 3, 4], name="m")


@pytest.mark.parametrize("load", CUTS.values(), ids=CUTS)
def test_fetching_the_rest_keeps_the_guard(load: Callable[[], Any]) -> None:
    x = PartDoc.objects.only("name").fields(slice__tags=1).first()
    assert x.other == [1, 2]  # fetches what was left out
    x.tags.append(9)
    with pytest.raises(OperationError):
        x.save()
    y = load()
    y.reload("name")
    y.tags.append(9)
    with pytest.raises(OperationError):
        y.save()
    assert stored() == WHOLE


def test_fetching_the_rest_keeps_the_guard_of_embedded_documents() -> None:
    x = PartDoc.objects.only("e__a").first()
    assert x.other == [1, 2]
    x.e.l.append(9)
    with pytest.raises(OperationError):
        x.save()
    y = PartDoc.objects.only("e__a").first()
    assert y.e.a == 1
    y.reload("name")
    y.other.append(3)
    y.save()
    assert stored() == changed(other=[1, 2, 3])


def test_embedded_documents_in_lists_change_by_field() -> None:
    x = PartDoc.objects.only("items__a").first()
    x.items[1].a = 9
    assert x._delta() == ({"items.1.a": 9}, {})
    x.save()
    x.items[1].a = 10
    x.save()
    assert stored() == changed(items__1__a=10)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.items.append(PartInner(a=1)),
        lambda x: x.items.pop(),
        lambda x: x.items.reverse(),
        lambda x: x.items[0].l.append(1),
        lambda x: (x.items.insert(0, PartInner(a=7)), x.items.pop()),
    ],
    ids=["append", "pop", "reverse", "nested", "shift"],
)
def test_embedded_documents_in_lists_are_not_mixed_up(change: Callable[[Any], Any]) -> None:
    x = PartDoc.objects.only("items__a").first()
    change(x)
    with pytest.raises(OperationError):
        x.save()
    assert stored() == WHOLE


def test_an_element_that_is_assigned_is_written_whole() -> None:
    x = PartDoc.objects.only("items__a").first()
    x.items[0] = PartInner(a=7)
    x.save()
    assert stored() == changed(items__0={"a": 7, "l": []})


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_keep_the_guard(clone: Callable[[Any], Any]) -> None:
    for before in (False, True):
        x = PartDoc.objects.fields(slice__tags=1).exclude("e__l").first()
        if before:
            x.tags.append(9)
        y = clone(x)
        if not before:
            y.tags.append(9)
        with pytest.raises(OperationError):
            y.save()
        z = PartDoc.objects.only("e__a").first()
        if before:
            z.e.l.append(9)
        w = clone(z)
        if not before:
            w.e.l.append(9)
        with pytest.raises(OperationError):
            w.save()
        assert stored() == WHOLE


def test_a_modified_document_with_a_projection_keeps_the_guard() -> None:
    x = PartDoc.objects.only("e__a").modify(set__name="m", new=True)
    x.e.l.append(9)
    with pytest.raises(OperationError):
        x.save()
    assert stored() == changed(name="m")


class PartDynamic(mongodb.DynamicDocument):
    name = fields.StringField()


@pytest.mark.parametrize("fetch", [False, True])
def test_fields_outside_the_class_are_guarded(fetch: bool) -> None:
    PartDynamic(name="n", tags=[1, 2, 3], box={"a": 1, "l": [1]}).save()
    cut = PartDynamic.objects.fields(slice__tags=1).first()
    cut.tags.append(9)
    with pytest.raises(OperationError) as error:
        cut.save()
    assert "'tags'" in str(error.value)
    part = PartDynamic.objects.only("box__a").first()
    if fetch:
        assert part.name == "n"
    part.box.setdefault("l", []).append(9)
    with pytest.raises(OperationError):
        part.save()
    part = PartDynamic.objects.only("box__a").first()
    part.box["a"] = 2
    part.fresh = [4]
    part.save()
    read = PartDynamic.objects.first()
    assert (read.tags, read.box, read.fresh) == ([1, 2, 3], {"a": 2, "l": [1]}, [4])
