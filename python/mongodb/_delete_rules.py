# SPDX-License-Identifier: Apache-2.0
"""What happens to references when the document they point to is deleted."""

from __future__ import annotations

from typing import Any

from mongodb.errors import InvalidDocumentError, NotRegistered, ProtectedError
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL, ReferenceField

__all__ = ["add_rule", "add_rules", "apply_rules", "rules_for"]

# (class that holds the reference, field name, rule, target class or None: the field knows)
_rules: list[tuple[Any, str, int, Any]] = []


def add_rule(owner: Any, field_name: str, rule: int, target: Any) -> None:
    """Note that deleting a `target` applies `rule` to `owner.field_name`."""
    key = (owner._class_name, field_name)
    _rules[:] = [r for r in _rules if (r[0]._class_name, r[1]) != key or r[3] is not target]
    if rule != DO_NOTHING:
        _rules.append((owner, field_name, rule, target))


def add_rules(cls: Any) -> None:
    """Note the rules that the fields of a new class declare."""
    for name, field in cls._fields.items():
        inner = _reference(field)
        if inner is not None:
            if inner.reverse_delete_rule == PULL and field.kind != "list":
                raise ValueError(f"{cls.__name__}.{name}: PULL is for lists of references")
            if inner.reverse_delete_rule != DO_NOTHING and _in_dict(field):
                raise InvalidDocumentError(
                    f"{cls.__name__}.{name}: reverse_delete_rule does not work for references in "
                    "dicts"
                )
            add_rule(cls, name, inner.reverse_delete_rule, None)


def _in_dict(field: Any) -> bool:
    return field is not None and (field.kind == "dict" or _in_dict(field._item))


def _reference(field: Any) -> Any:
    while field is not None and not isinstance(field, ReferenceField):
        field = field._item
    return field


def rules_for(cls: Any) -> list[tuple[Any, str, int]]:
    """Return (class, field, rule) for references to documents of the class."""
    found = []
    for owner, name, rule, target in _rules:
        if target is None:
            try:
                target = _reference(owner._fields[name]).document_type
            except NotRegistered:
                continue
        if issubclass(cls, target) or issubclass(target, cls):
            found.append((owner, name, rule))
    return found


def apply_rules(cls: Any, ids: list[Any], seen: set[Any], write_concern: Any) -> None:
    """Refuse, or bring references to the documents with these ids in order."""
    rules = rules_for(cls)
    for owner, name, rule in rules:
        if rule == DENY and owner.objects(**{f"{name}__in": ids}).exists():
            raise ProtectedError(
                f"{cls.__name__} cannot be deleted: {owner.__name__}.{name} refers to it "
                "(reverse_delete_rule is DENY)"
            )
    for owner, name, rule in rules:
        holders = owner.objects(**{f"{name}__in": ids})
        if rule == CASCADE:
            fresh = [pk for pk in holders.scalar("pk") if (owner, pk) not in seen]
            if fresh:
                owner.objects(pk__in=fresh)._delete(seen, write_concern)
        elif rule == NULLIFY:
            holders.update(**{f"unset__{name}": 1})
        elif rule == PULL:
            holders.update(**{f"pull_all__{name}": ids})
