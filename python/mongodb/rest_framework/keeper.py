# SPDX-License-Identifier: Apache-2.0
"""Plans that are kept from one list to the next.

A plan (see plan.py) depends on the serializer's live fields, and these on code and on values: the
serializer's class, its `Meta`, its declared fields, the document's fields, a few settings. When all
the code is DRF's and ours, and C shows every field, the plan is kept with snapshots of everything
that was looked at. While each class has the version it had, each list and dict the same items, each
field the same attributes, and the serializer nothing of its own, making the fields would give the
same plan, so they are not made until somebody asks for them.
"""

import copy
import enum
import inspect
import sys
from typing import Any, NamedTuple

from rest_framework import serializers
from rest_framework.settings import api_settings

from mongodb._core import snapshot, unchanged, version

from .mapping import SERIALIZER_FIELDS
from .plan import CHOICE, DICT, KNOWN, LIST, NESTED, Shape, compile_plan
from .prototypes import kept

__all__ = ["LISTS", "kept_plan", "know", "missed"]

Kept = tuple[list[Any], dict[str, None]]

MOST_MISSES = 16  # more than these and one in eight uses: a plan is not worth keeping

# What a subclass of DocumentSerializer may say otherwise: it does not make or show fields.
FREE = frozenset(
    "__module__ __qualname__ __doc__ __dict__ __weakref__ __firstlineno__ __static_attributes__ "
    "__annotations__ __annotate_func__ __annotations_cache__ __orig_bases__ __parameters__ "
    "__repr__ __hash__ __eq__ __str__ __subclasshook__ __init_subclass__ _creation_counter "
    "_declared_fields _prototypes _nested_classes _customized _nested_made _keeper "
    "validate create update save save_document is_valid to_internal_value run_validation "
    "validate_empty_values run_validators get_validators get_unique_together_validators "
    "default_error_messages default_validators fail get_value get_initial initial".split()
)
MAKING = frozenset("__init__ __new__ __deepcopy__ many_init".split())  # of the serializer itself
# Of the serializers of documents: what subclasses of each leave alone.
CODE: dict[type, dict[str, Any]] = {}
LISTS: dict[type, dict[str, Any]] = {}  # and of those that list them
UNSET: set[str] = set()  # what a serializer does not have of its own


def know(serializer: type, *lists: type) -> None:
    """Remember the code of our own classes as it is now."""
    code = CODE[serializer] = code_of(serializer)
    LISTS.update({cls: code_of(cls) for cls in (serializers.ListSerializer, *lists)})
    UNSET.update({*code, "Meta", "_declared_fields"} - vars(serializers.Serializer()).keys())


def code_of(cls: type) -> dict[str, Any]:
    return {name: inspect.getattr_static(cls, name) for name in dir(cls) if name not in FREE}


def is_code(cls: type, code: dict[str, Any], but: frozenset[str] = frozenset()) -> bool:
    return all(
        inspect.getattr_static(cls, name, None) is found
        for name, found in code.items()
        if name not in but
    )


ATOMS = (str, int, float, bool, bytes, type(None))
# Arguments of fields that no shape depends on.
UNSHOWN_ARGUMENTS = frozenset(
    "default initial label help_text style error_messages validators queryset".split()
)


class UnkeptError(Exception):
    """What a plan depends on is not known whole."""


class Found(NamedTuple):
    """A plan, and what it was made of. Threads replace it whole."""

    plan: Kept
    seen: tuple[Any, ...]
    settings: tuple[Any, ...]

    def is_current(self) -> bool:
        return unchanged(self.seen) and self.settings == settings_now()


class Keeper:
    """What is kept for a serializer's class."""

    def __init__(self) -> None:
        self.found: Found | None = None
        self.tried: Found | None = None  # what was made last
        self.refused: tuple[Any, ...] = (None, None)  # a class whose plan could not be kept
        self.uses = 0
        self.misses = 0

    def make(self, serializer: Any) -> Kept | None:
        """Compile the plan of the live fields and keep it, if that can be."""
        self.misses += 1
        cls = type(serializer)
        seen = Seen()
        settings = settings_now()
        try:
            seen.serializer(serializer, MAKING)
            plan = without_fields(serializer)
        except UnkeptError:
            self.refused = (cls, snapshot(cls))
            return None
        found = Found(plan, tuple(seen.found), settings)
        if not found.is_current() or not seen.kept_versions():
            return None
        # Other threads may have changed what has no version meanwhile and changed it back: what is
        # kept was made twice of the same.
        before, self.tried = self.tried, found
        if before is not None and before.is_current() and before.plan == plan:
            self.found = found
        return plan


def settings_now() -> tuple[Any, ...]:
    return (
        api_settings.DATETIME_FORMAT,
        api_settings.DATE_FORMAT,
        api_settings.COERCE_DECIMAL_TO_STRING,
    )


def keeper_of(cls: Any) -> Keeper:
    found = kept(cls, "_keeper")
    return found.get(cls) or found.setdefault(cls, Keeper())


def kept_plan(serializer: Any) -> Kept | None:
    """The plan of a list's serializer, if it is known without its fields."""
    if not is_untouched(serializer):
        return None
    cls = type(serializer)
    keeper = keeper_of(cls)
    if keeper.misses > MOST_MISSES + keeper.uses // 8:
        return None
    found = keeper.found
    if found is not None and found.is_current():
        keeper.uses += 1
        return found.plan
    return None if unchanged(keeper.refused) else keeper.make(serializer)


def missed(serializer: Any) -> list[Any] | None:
    """The plan of the live fields, for documents that a kept plan does not show."""
    keeper_of(type(serializer)).misses += 1
    return compile_plan(serializer)


def is_untouched(serializer: Any) -> bool:
    """Whether a list's serializer has nothing but what its class gives it."""
    above = serializer.__dict__.get("parent")
    return (
        UNSET.isdisjoint(serializer.__dict__)
        and isinstance(above, serializers.ListSerializer)
        and above.parent is None
    )


# What a plan is made of


class Seen:
    """Everything that a plan depends on, with a snapshot of each."""

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.ids: set[int] = set()
        self.serializers: set[Any] = set()
        self.versions: dict[type, int] = {}  # of each Meta before anything of it was read
        self.see(SERIALIZER_FIELDS)

    def see(self, one: Any) -> bool:
        """Remember what it is like; False: it was seen."""
        if id(one) in self.ids:
            return False
        self.ids.add(id(one))
        try:
            taken = snapshot(one)
        except (AttributeError, TypeError):
            raise UnkeptError from None
        self.found += (one, taken)
        return True

    def kept_versions(self) -> bool:
        return all(was and version(meta) == was for meta, was in self.versions.items())

    def see_class(self, cls: Any) -> None:
        """A class, with all of its bases: DRF counts its fields in an attribute of their base, so
        none of their classes keeps a version."""
        for one in cls.__mro__[:-1]:
            self.see(one)

    def value(self, one: Any) -> None:
        """A value that is looked at whole."""
        if type(one) in (tuple, frozenset):
            items = one
        elif type(one) is list:
            self.see(one)
            items = one
        elif type(one) is dict:
            self.see(one)
            items = one.values()
        elif isinstance(one, serializers.Field):
            return self.declared(one)
        elif type(one) in ATOMS or isinstance(one, enum.Enum):
            return None
        else:
            raise UnkeptError
        for item in items:
            self.value(item)

    def serializer(self, one: Any, making: frozenset[str] = frozenset()) -> None:
        """A serializer of documents: its class, and its live fields."""
        cls = type(one)
        if type(cls) is not serializers.SerializerMetaclass or hasattr(cls, "__getattr__"):
            raise UnkeptError
        code = next((CODE[base] for base in cls.__mro__ if base in CODE), None)
        if code is None or not is_code(cls, code, making):
            raise UnkeptError
        self.see_class(cls)
        if cls not in self.serializers:
            self.serializers.add(cls)
            self.meta(cls.Meta)
            self.value(cls._declared_fields)
        for field in one._readable_fields:
            self.field(field)

    def meta(self, meta: Any) -> None:
        if type(meta) is not type or not isinstance(getattr(meta, "model", None), type):
            raise UnkeptError
        self.versions.setdefault(meta, version(meta))
        self.see_class(meta)
        for name in ("model", "fields", "exclude", "read_only_fields", "extra_kwargs", "depth"):
            value = getattr(meta, name, None)
            if value is not inspect.getattr_static(meta, name, None):
                raise UnkeptError  # it is computed
            if name == "model":
                self.model(value)
            elif name == "extra_kwargs" and value:
                self.see(value)
                for arguments in value.values():
                    self.arguments(arguments)
            else:
                self.value(value)

    def arguments(self, arguments: Any) -> None:
        if type(arguments) is not dict:
            raise UnkeptError
        self.see(arguments)
        for name, value in arguments.items():
            if name not in UNSHOWN_ARGUMENTS:
                self.value(value)

    def declared(self, field: Any) -> None:
        """A declared field, which is made anew of its arguments."""
        if not is_known(field):
            raise UnkeptError
        self.see(field)
        self.see_class(type(field))
        self.value(field._args)
        self.arguments(field._kwargs)

    def field(self, field: Any) -> None:
        """A live field."""
        if not is_known(field):
            raise UnkeptError
        self.see_class(type(field))
        if isinstance(field, serializers.ModelSerializer):
            self.serializer(field)
        elif hasattr(field, "child"):
            self.field(field.child)

    def model(self, model: Any) -> None:
        self.see_class(model)
        if type(model._fields) is not dict:
            raise UnkeptError
        self.value(model._fields_ordered)
        if not self.see(model._fields):
            return
        for field in model._fields.values():
            self.document_field(field)

    def document_field(self, field: Any) -> None:
        if self.see(field):
            self.see_class(type(field))
            self.value(getattr(field, "choices", None))
            inner = getattr(field, "field", None)
            if inner is not None:
                self.document_field(inner)


def is_known(field: Any) -> bool:
    """Whether the field's class is DRF's own or ours, or a serializer of documents."""
    cls = type(field)
    code = LISTS.get(cls)
    if code is not None:
        return is_code(cls, code)
    return cls in KNOWN or isinstance(field, serializers.ModelSerializer)


# Plans that name no live field


def without_fields(serializer: Any) -> Kept:
    entries = compile_plan(serializer)
    if entries is None or any(shape is None or name == "pk" for *_, name, shape in entries):
        raise UnkeptError  # which field `pk` is may change
    found = [
        (sys.intern(name), None, attribute, shape_without_fields(shape))
        for name, _, attribute, shape in entries
    ]
    return found, blank([name for name, *_ in found])


def shape_without_fields(shape: Shape) -> Shape:
    how, detail, digits, places, nulls, item = shape
    if how == CHOICE:
        detail = copy.copy(detail)
    elif how == NESTED:
        detail = without_fields(detail)
    elif how in (LIST, DICT):
        item = shape_without_fields(item)
    return how, detail, digits, places, nulls, item


def blank(names: list[str]) -> dict[str, None]:
    """A dict of these names. Its copies share its keys with it where the interpreter lets the dicts
    of a class's instances do so: they are made faster and are smaller."""
    if not all(name.isidentifier() and not name.startswith("__") for name in names):
        return dict.fromkeys(names)
    row = type("Row", (), {})
    for _ in range(32):  # the room for keys yet to come shrinks with each instance
        one = row()
        for name in names:
            setattr(one, name, None)
    return vars(one)
