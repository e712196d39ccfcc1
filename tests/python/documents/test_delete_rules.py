# SPDX-License-Identifier: Apache-2.0
"""Which references a deletion reaches, and what becomes of them."""

from typing import Any

import pytest

from mongodb import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL, Document, OperationError
from mongodb import _delete_rules as delete_rules
from mongodb.context_managers import query_counter
from mongodb.fields import IntField, ListField, ReferenceField, StringField


@pytest.fixture(autouse=True)
def store(memory: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delete_rules, "_rules", [])


class Target(Document):
    name = StringField()
    meta = {"allow_inheritance": True}


class Special(Target):
    pass


class Other(Document):
    pass


def holder(rule: int, to: Any = Target) -> Any:
    class Holder(Document):
        n = IntField()
        to = ReferenceField(Target, reverse_delete_rule=rule)

    return Holder


def test_a_class_made_again_has_its_new_rule() -> None:
    for rule, left in ((DENY, 1), (CASCADE, 0), (NULLIFY, 1), (DO_NOTHING, 1)):
        cls = holder(rule)
        cls.drop_collection()
        target = Target().save()
        cls(to=target).save()
        if rule == DENY:
            with pytest.raises(OperationError):
                target.delete()
        else:
            target.delete()
        assert cls.objects.count() == left
    assert delete_rules.rules_for(Target) == []


def test_a_rule_given_twice_for_one_target_is_the_last() -> None:
    class Loose(Document):
        first = ReferenceField(Target)
        second = ReferenceField(Target)

    for rule in (CASCADE, DENY, NULLIFY):
        Target.register_delete_rule(Loose, "first", rule)
    Target.register_delete_rule(Loose, "second", DENY)
    Other.register_delete_rule(Loose, "first", DENY)
    assert delete_rules.rules_for(Target) == [
        (Loose, "first", NULLIFY), (Loose, "second", DENY),
    ]  # fmt: skip
    target = Target().save()
    Loose(first=target).save()
    target.delete()
    assert Loose.objects.get().first is None


def test_a_reference_without_a_rule_costs_no_query() -> None:
    holder(DO_NOTHING)
    Target().save()
    with query_counter() as sent:
        assert Target.objects.delete() == 1
        assert sent == 1


def test_pulling_needs_a_list() -> None:
    with pytest.raises(ValueError, match="PULL is for lists"):

        class Wrong(Document):
            to = ReferenceField(Target, reverse_delete_rule=PULL)

    class Right(Document):
        to = ListField(ReferenceField(Target, reverse_delete_rule=PULL))

    one, two = Target().save(), Target().save()
    Right(to=[one, two, one]).save()
    one.delete()
    assert Right.objects.get().to == [two]


def test_a_rule_whose_class_is_not_there_yet_hides_no_other() -> None:
    class Early(Document):
        to = ReferenceField("ComesLater", reverse_delete_rule=DENY)

    cls = holder(CASCADE)
    target = Target().save()
    cls(to=target).save()
    target.delete()
    assert cls.objects.count() == 0


def test_rules_reach_sub_classes_and_from_them_and_no_strangers() -> None:
    class Both(Document):
        any = ReferenceField(Target, reverse_delete_rule=NULLIFY)
        some = ReferenceField(Special, reverse_delete_rule=NULLIFY)
        other = ReferenceField(Other, reverse_delete_rule=DENY)

    special, other = Special().save(), Other().save()
    doc = Both(any=special, some=special, other=other).save()
    assert Target.objects.delete() == 1
    doc.reload()
    assert (doc.any, doc.some, doc.other) == (None, None, other)
    special = Special().save()
    doc.update(any=special, some=special)
    special.delete()
    doc.reload()
    assert (doc.any, doc.some) == (None, None)


def test_a_refusal_comes_before_anything_is_changed() -> None:
    class First(Document):
        to = ReferenceField(Target, reverse_delete_rule=CASCADE)

    class Second(Document):
        to = ReferenceField(Target, reverse_delete_rule=DENY)

    target = Target().save()
    First(to=target).save()
    Second(to=target).save()
    for delete in (target.delete, Target.objects.delete):
        with pytest.raises(OperationError, match="Second.to refers to it"):
            delete()
        assert (First.objects.count(), Target.objects.count()) == (1, 1)
    Second.objects.delete()
    target.delete()
    assert First.objects.count() == 0
