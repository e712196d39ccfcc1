# SPDX-License-Identifier: Apache-2.0
"""Django's migrations made to see embedded models: what they embed is made first, changes within
them are detected, and reach the documents that hold them. Patched into Django by `register()`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from django.db.migrations.autodetector import MigrationAutodetector, OperationDependency
from django.db.migrations.operations import fields as operations
from django.db.migrations.operations.models import CreateModel, DeleteModel, RenameModel
from django.db.migrations.state import ProjectState
from django.db.migrations.utils import resolve_relation

__all__ = ["embedded_keys", "register"]

Key = tuple[str, str]


def embedded_keys(field: Any, app_label: str, model_name: str = "") -> Iterator[Key]:
    """Give the models that a field embeds, as (app, name in lower case)."""
    while hasattr(field, "base_field"):
        field = field.base_field
    if getattr(field, "embeds", False):
        for model in field.models():
            yield resolve_relation(model, app_label, model_name)


def _embedded_in(models: dict[Key, Any]) -> set[Key]:
    """All that the models of a state embed."""
    return {
        key
        for (app_label, name), state in models.items()
        for field in state.fields.values()
        for key in embedded_keys(field, app_label, name)
    }


def _embedding(models: dict[Key, Any], wanted: set[Key]) -> set[Key]:
    """The models of a state that embed some of these, at any depth."""
    found: set[Key] = set()
    while True:
        more = {
            key
            for key, state in models.items()
            if key not in found
            and any((wanted | found) & set(embedded_keys(f, *key)) for f in state.fields.values())
        }
        if not more:
            return found
        found |= more


def _wrapped(cls: Any, name: str) -> Any:
    """Replace a method by a function of (original, self, …)."""

    def decorate(function: Any) -> Any:
        original = getattr(cls, name)

        @functools.wraps(original)
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return function(original, self, *args, **kwargs)

        setattr(cls, name, method)
        return function

    return decorate


def _fields_of(operation: Any) -> tuple[str, list[Any]]:
    """The model that an operation is about, and the fields that it brings."""
    if isinstance(operation, CreateModel):
        return operation.name_lower, [field for _, field in operation.fields]
    if isinstance(operation, (operations.AddField, operations.AlterField)):
        return operation.model_name_lower, [operation.field]
    return "", []


def _leaving(models: dict[Key, Any], wanted: Key) -> Iterator[OperationDependency]:
    """What is done before an embedded model can go: nothing embeds it any more."""
    kinds = OperationDependency.Type
    for key, state in models.items():
        names = [name for name, field in state.fields.items()
                 if wanted in embedded_keys(field, *key)]  # fmt: skip
        for name in names:
            yield OperationDependency(*key, name, kinds.REMOVE)
            yield OperationDependency(*key, name, kinds.ALTER)
        if names and key != wanted:
            yield OperationDependency(*key, None, kinds.REMOVE)


def _add_keys(detector: Any, key: Key, there: set[str]) -> None:
    """Add the foreign keys of an embedded model that is made."""
    for name, field in sorted(detector.to_state.models[key].fields.items()):
        if name in there or not field.remote_field or field.many_to_many:
            continue
        needs = detector._get_dependencies_for_foreign_key(*key, field, detector.to_state)
        needs.append(OperationDependency(*key, None, OperationDependency.Type.CREATE))
        add = operations.AddField(model_name=key[1], name=name, field=field)
        detector.add_operation(key[0], add, list(dict.fromkeys(needs)))


def _repoint(models: dict[Key, Any], old: Key, new: str) -> None:
    """Have the fields that embed a model of a state embed it under its new name."""
    for key, state in models.items():
        for name, field in list(state.fields.items()):
            if old in embedded_keys(field, *key):
                made = inner = field.clone()
                while hasattr(inner, "base_field"):
                    inner = inner.base_field
                inner.replace_model(lambda one, key=key: resolve_relation(one, *key) == old, new)
                state.fields[name] = made


def _changed(operation: Any, backwards: bool) -> tuple[str | None, str | None]:
    """The names of the field before and after an operation; None where there is none."""
    if isinstance(operation, operations.RenameField):
        names: Any = (operation.old_name, operation.new_name)
    elif isinstance(operation, operations.AddField):
        names = (None, operation.name)
    elif isinstance(operation, operations.RemoveField):
        names = (operation.name, None)
    else:
        names = (operation.name, operation.name)
    return names[::-1] if backwards else names


def _follow(operation: Any, app_label: str, editor: Any, states: Any, backwards: bool) -> None:
    """Carry a change of an embedded model's field to the collections that embed it."""
    alter = getattr(editor, "alter_embedded", None)
    if alter is None:
        return
    key = (app_label, operation.model_name_lower)
    before, after = (state.apps.get_model(*key) for state in states)
    if after._meta.managed:
        return
    old, new = _changed(operation, backwards)
    was = None if old is None else before._meta.get_field(old)
    becomes = None if new is None else after._meta.get_field(new)
    if becomes is None or backwards or getattr(operation, "preserve_default", True):
        alter(after, was, becomes, states[1].apps)
        return
    # a default for the rows there are, which the model does not keep
    kept, becomes.default = becomes.default, operation.field.default
    becomes.__dict__.pop("_get_default", None)
    try:
        alter(after, was, becomes, states[1].apps)
    finally:
        becomes.default = kept
        becomes.__dict__.pop("_get_default", None)


@functools.cache
def register() -> None:
    """Install the changes, once."""

    @_wrapped(MigrationAutodetector, "add_operation")
    def add_operation(original: Any, self: Any, app_label: str, operation: Any,
                      dependencies: Any = None, beginning: bool = False) -> None:  # fmt: skip
        name, fields = _fields_of(operation)
        more = [OperationDependency(*key, None, OperationDependency.Type.CREATE)
                for field in fields for key in embedded_keys(field, app_label, name)
                if key != (app_label, name)]  # fmt: skip
        if isinstance(operation, DeleteModel):
            more += _leaving(self.from_state.models, (app_label, operation.name_lower))
        original(self, app_label, operation, [*(dependencies or ()), *more], beginning)

    @_wrapped(MigrationAutodetector, "generate_renamed_models")
    def generate_renamed_models(original: Any, self: Any) -> None:
        embedded = _embedded_in(self.from_state.models) | _embedded_in(self.to_state.models)
        self.old_model_keys |= self.old_unmanaged_keys & embedded
        self.new_model_keys |= self.new_unmanaged_keys & embedded
        self.old_unmanaged_keys -= embedded
        self.new_unmanaged_keys -= embedded
        original(self)

    @_wrapped(MigrationAutodetector, "generate_created_models")
    def generate_created_models(original: Any, self: Any) -> None:
        # Django leaves the keys of unmanaged models out
        original(self)
        embedded = _embedded_in(self.to_state.models)
        made = [
            ((app_label, one.name_lower), one)
            for app_label, every in self.generated_operations.items()
            for one in every
            if isinstance(one, CreateModel) and not one.options.get("managed", True)
        ]
        for key, one in made:
            if key in embedded:
                _add_keys(self, key, {name for name, _ in one.fields})

    @_wrapped(ProjectState, "_find_reload_model")
    def find_reload_model(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        # what embeds a model holds its class, which is made anew
        found = original(self, *args, **kwargs)
        return found | _embedding(self.models, found)

    @_wrapped(ProjectState, "rename_model")
    def rename_model(original: Any, self: Any, app_label: str, old: str, new: str) -> None:
        _repoint(self.models, (app_label, old.lower()), f"{app_label}.{new.lower()}")
        original(self, app_label, old, new)

    @_wrapped(RenameModel, "database_forwards")
    def relabel(original: Any, self: Any, app_label: str, editor: Any, before: Any,
                after: Any) -> None:  # fmt: skip
        original(self, app_label, editor, before, after)
        names = (self.old_name, self.new_name)
        if (app_label, names[1].lower()) not in after.models:
            names = names[::-1]  # the way back
        model = after.apps.get_model(app_label, names[1])
        rename = getattr(editor, "rename_embedded", None)
        if rename is not None and not model._meta.managed:
            rename(before.apps.get_model(app_label, names[0])._meta.label, model, after.apps)

    for cls in (CreateModel, operations.AddField, operations.AlterField):

        @_wrapped(cls, "references_model")
        def references_model(original: Any, self: Any, name: str, app_label: str) -> bool:
            own, fields = _fields_of(self)
            key = (app_label, name.lower())
            return original(self, name, app_label) or any(
                key in embedded_keys(field, app_label, own) for field in fields
            )

    for cls in (operations.AddField, operations.RemoveField, operations.AlterField,
                operations.RenameField):  # fmt: skip
        for method in ("database_forwards", "database_backwards"):
            if method not in vars(cls):
                continue

            @_wrapped(cls, method)
            def run(original: Any, self: Any, app_label: str, editor: Any, before: Any, after: Any,
                    backwards: bool = method == "database_backwards") -> None:  # fmt: skip
                original(self, app_label, editor, before, after)
                if not (backwards and isinstance(self, operations.AlterField)):
                    _follow(self, app_label, editor, (before, after), backwards)
