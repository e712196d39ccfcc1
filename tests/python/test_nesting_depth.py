# SPDX-License-Identifier: Apache-2.0
"""One limit of nesting for documents, lists and dicts together, on small stacks too."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import mongodb
from mongodb import fields

pytestmark = pytest.mark.usefixtures("connected")


class DeepPart(mongodb.EmbeddedDocument):
    items = fields.ListField()
    part = fields.EmbeddedDocumentField("self")
    by_name = fields.MapField(fields.ListField(fields.EmbeddedDocumentField("self")))


class DeepDoc(mongodb.Document):
    part = fields.EmbeddedDocumentField(DeepPart)
    anything = fields.DynamicField()


def on_small_stack(call: Callable[[], Any]) -> Any:
    """Return what the call returns in a thread with a stack of 256 KiB, or its exception."""
    out: list[Any] = []

    def run() -> None:
        try:
            out.append(call())
        except Exception as error:
            out.append(error)

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    return out[0]


def in_list_and_dict() -> Any:
    part = DeepPart()
    part.items = [{"k": part}]
    return DeepDoc(part=part)


def in_itself() -> Any:
    part = DeepPart()
    part.part = part
    return DeepDoc(part=part)


def in_map() -> Any:
    part = DeepPart()
    part.by_name = {"k": [part]}
    return DeepDoc(part=part)


def in_dynamic() -> Any:
    part = DeepPart()
    part.items = [[{"k": (part,)}]]
    return DeepDoc(anything={"k": [part]})


def in_long_chain() -> Any:
    part = DeepPart()
    for _ in range(1000):
        part = DeepPart(items=[{"k": part}])
    return DeepDoc(part=part)


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (in_list_and_dict, "part.items.0.k.items.0.k."),
        (in_itself, "part.part.part."),
        (in_map, "part.by_name.k.0.by_name.k.0."),
        (in_dynamic, "anything.k.0.items.0.0.k.0.items."),
        (in_long_chain, "part.items.0.k.items.0.k."),
    ],
)
def test_a_cycle_through_documents_is_refused_with_its_path(
    make: Callable[[], Any], path: str
) -> None:
    for call in (lambda: make()._encode(), lambda: make().save(validate=False)):
        error = on_small_stack(call)
        assert isinstance(error, ValueError)
        assert str(error).startswith(f"field '{path}") and "nested too deeply" in str(error)
    assert DeepDoc.objects.count() == 0


def test_a_change_that_makes_a_cycle_is_refused() -> None:
    doc = DeepDoc(part=DeepPart(items=[1])).save()
    doc.part.items.append({"k": doc.part})
    error = on_small_stack(lambda: doc.save(validate=False))
    assert isinstance(error, ValueError) and "nested too deeply" in str(error)
    assert DeepDoc.objects.first().part.items == [1]


def test_deep_documents_within_the_limit_are_stored() -> None:
    part = DeepPart()
    for at in range(30):
        part = DeepPart(items=[{"k": part}], part=DeepPart(items=[at]))
    doc = on_small_stack(lambda: DeepDoc(part=part).save())
    assert isinstance(doc, DeepDoc)
    read = DeepDoc.objects.first().part
    for _ in range(30):
        read = read.items[0]["k"]
    assert read == DeepPart()
