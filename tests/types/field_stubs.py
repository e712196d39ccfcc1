# SPDX-License-Identifier: Apache-2.0
"""Writes python/mongodb/fields/__init__.pyi: what type checkers know of the fields.

A field may be None unless it is required, a primary key, or has a default: that takes four
signatures for each class, so they are made of the table below and of the classes themselves.

    python tests/types/field_stubs.py    write it; tests/python/test_types.py sees it is kept
"""

import inspect
import pathlib
import subprocess
import sys
from typing import Any, NamedTuple

from mongodb import fields

STUB = pathlib.Path(__file__).parents[2] / "python" / "mongodb" / "fields" / "__init__.pyi"


class Value(NamedTuple):
    """A class whose values are of one type."""

    base: str
    read: str  # the type of a value that is there
    set: str = ""  # what may be set beside it, as " | int | str"


VALUES = {
    "StringField": Value("BaseField", "str"),
    "URLField": Value("StringField", "str"),
    "EmailField": Value("StringField", "str"),
    "IntField": Value("BaseField", "int"),
    "LongField": Value("IntField", "int"),
    "FloatField": Value("BaseField", "float"),
    "BooleanField": Value("BaseField", "bool"),
    "DecimalField": Value("BaseField", "Decimal", " | int | float | str"),
    "Decimal128Field": Value("BaseField", "Decimal128", " | Decimal | int | float | str"),
    "BinaryField": Value("BaseField", "bytes"),
    "ObjectIdField": Value("BaseField", "ObjectId", " | str"),
    "UUIDField": Value("BaseField", "UUID", " | str"),
    "DateTimeField": Value("BaseField", "datetime", " | date | str"),
    "DateField": Value("BaseField", "date", " | str"),
    "ComplexDateTimeField": Value("BaseField", "datetime", " | str"),
}

# Classes of which the value's type is an argument: what is declared, then its signatures.
GENERIC = {
    "EnumField": ("BaseField[_E, _E]", "enum: type[{}]"),
    "EmbeddedDocumentField": ("BaseField[_E, _E]", "document_type: type[{}] | str"),
    "ReferenceField": (
        "BaseField[_E, _E | DBRef | ObjectId]",
        "document_type: type[{}] | str, dbref: bool = ..., reverse_delete_rule: int = ...",
    ),
    "CachedReferenceField": (
        "BaseField[_E, _E | DBRef | ObjectId]",
        "document_type: type[{}] | str, fields: Sequence[str] | None = ..., auto_sync: bool = ...",
    ),
}

# Those that read as one type whatever is declared.
PLAIN = {
    "SequenceField": ("BaseField", "int", "int"),
    "VersionField": ("BaseField", "int | None", "int | None"),
    "DynamicField": ("BaseField", "Any", "Any"),
    "GenericEmbeddedDocumentField": ("BaseField", "Any", "Any"),
    "GenericReferenceField": ("BaseField", "Any", "Any"),
    "GenericLazyReferenceField": ("BaseField", "Any", "Any"),
    "LazyReferenceField": ("BaseField", "Any", "Any"),
    "FileField": ("BaseField", "Any", "Any"),
    "ImageField": ("FileField", "", ""),
    "GeoPointField": ("BaseField", "Any", "Any"),
    "GeoJsonBaseField": ("BaseField", "Any", "Any"),
    **{
        f"{shape}Field": ("GeoJsonBaseField", "", "")
        for shape in ("Point LineString Polygon MultiPoint MultiLineString MultiPolygon".split())
    },
}

HEAD = '''# SPDX-License-Identifier: Apache-2.0
# Written by tests/types/field_stubs.py: change that.
"""What type checkers know of the fields."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, Self, TypedDict, overload
from uuid import UUID

from bson import DBRef, Decimal128, ObjectId
from typing_extensions import TypeVar, Unpack

from mongodb.fields.files import (
    GridFSError,
    GridFSProxy,
    ImageGridFsProxy,
    ImproperlyConfigured,
)
from mongodb.fields.lazy import LazyReference
from mongodb.fields.lists import EmbeddedDocumentList
from mongodb.fields.references import (
    CASCADE,
    DENY,
    DO_NOTHING,
    NULLIFY,
    PULL,
)

_T = TypeVar("_T", default=Any)
_S = TypeVar("_S", default=_T)
_I = TypeVar("_I", default=Any)
_E = TypeVar("_E", default=Any)

class _Options(TypedDict, total=False):
    db_field: str | None
    unique: bool
    unique_with: str | Iterable[str] | None
    validation: Callable[[Any], Any] | None
    choices: Any
    null: bool
    sparse: bool
    help_text: str
    verbose_name: str | None

class _AllOptions(_Options, total=False):
    required: bool
    primary_key: bool
    default: Any

class BaseField(Generic[_T, _S]):
    name: str
    db_field: str
    required: bool
    default: Any
    unique: bool
    unique_with: str | Iterable[str] | None
    primary_key: bool
    validation: Callable[[Any], Any] | None
    choices: Any
    null: bool
    sparse: bool
    help_text: str
    verbose_name: str | None
    owner_document: Any
    def __init__(
        self,
        db_field: str | None = ...,
        required: bool = ...,
        default: Any = ...,
        unique: bool = ...,
        unique_with: str | Iterable[str] | None = ...,
        primary_key: bool = ...,
        validation: Callable[[Any], Any] | None = ...,
        choices: Any = ...,
        null: bool = ...,
        sparse: bool = ...,
        help_text: str = ...,
        verbose_name: str | None = ...,
        **kwargs: Any,
    ) -> None: ...
    @overload
    def __get__(self, instance: None, owner: Any = ...) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: Any = ...) -> _T: ...
    def __set__(self, instance: Any, value: _S) -> None: ...
    def to_python(self, value: Any) -> Any: ...
    def to_mongo(self, value: Any) -> Any: ...
    def prepare_query_value(self, op: str | None, value: Any) -> Any: ...
    def lookup_member(self, member_name: str) -> Any: ...
    def get_default(self) -> Any: ...
    def error(
        self,
        message: object = ...,
        errors: Mapping[Any, Any] | None = ...,
        field_name: str | None = ...,
    ) -> None: ...
    def validate(self, value: Any, clean: bool = ...) -> None: ...
    def choice_values(self) -> list[Any]: ...
    def choice_label(self, value: Any) -> Any: ...
'''

LISTS = """
class ListField(BaseField[list[_I], Sequence[_I]]):
    field: Any
    max_length: int | None
    @overload
    def __init__(
        self: ListField[Any], field: None = ..., *, max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ListField[_E], field: BaseField[_E | None, Any], *, max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ListField[_E], field: BaseField[_E, Any], *, max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class SortedListField(ListField[_I]):
    @overload
    def __init__(
        self: SortedListField[Any], field: None = ..., *, ordering: str | None = ...,
        reverse: bool = ..., max_length: int | None = ..., **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: SortedListField[_E], field: BaseField[_E | None, Any], *,
        ordering: str | None = ..., reverse: bool = ..., max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: SortedListField[_E], field: BaseField[_E, Any], *, ordering: str | None = ...,
        reverse: bool = ..., max_length: int | None = ..., **options: Unpack[_AllOptions],
    ) -> None: ...

class EmbeddedDocumentListField(BaseField[EmbeddedDocumentList[_E], Sequence[_E]]):
    field: Any
    def __init__(
        self, document_type: type[_E] | str, *, max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class DictField(BaseField[dict[str, _I], Mapping[str, _I]]):
    field: Any
    @overload
    def __init__(
        self: DictField[Any], field: None = ..., **options: Unpack[_AllOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: DictField[_E], field: BaseField[_E | None, Any], **options: Unpack[_AllOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: DictField[_E], field: BaseField[_E, Any], **options: Unpack[_AllOptions]
    ) -> None: ...

class MapField(DictField[_I]):
    @overload
    def __init__(
        self: MapField[Any], field: None = ..., **options: Unpack[_AllOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: MapField[_E], field: BaseField[_E | None, Any], **options: Unpack[_AllOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: MapField[_E], field: BaseField[_E, Any], **options: Unpack[_AllOptions]
    ) -> None: ...
"""


def options_of(name: str) -> list[str]:
    """The parameters of a class's own, as they are written in its __init__."""
    for cls in getattr(fields, name).__mro__:
        if "__init__" in vars(cls):
            break
    if cls is fields.BaseField:
        return []
    own = [
        p
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    ]
    bases = [c for c in cls.__mro__[1:] if "__init__" in vars(c) and c is not object]
    if bases and bases[0] is not fields.BaseField:
        own += [p for p in parameters(bases[0]) if p.name not in {o.name for o in own}]
    return [f"{p.name}: {p.annotation} = ..." for p in own]


def parameters(cls: Any) -> list[inspect.Parameter]:
    """The parameters that reach a base class by keyword."""
    named = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p.replace(kind=p.KEYWORD_ONLY) for p in named if p.kind is p.POSITIONAL_OR_KEYWORD]


def signatures(name: str, there: str, own: list[str], maybe: str) -> list[str]:
    """The four: required, a primary key, with a default, and one that may be None."""
    cases = [
        (there, "required: Literal[True], default: Any = ..., primary_key: bool = ..."),
        (there, "primary_key: Literal[True], default: Any = ..., required: bool = ..."),
        (there, f"default: {there} | Callable[[], {there}], required: bool = ..., "
                "primary_key: bool = ..."),
        (maybe, "default: Callable[[], None] | None = ..., required: Literal[False] = ..., "
                "primary_key: Literal[False] = ..."),
    ]  # fmt: skip
    lines = []
    for value, named in cases:
        given = "".join(f"        {one},\n" for one in own)
        lines += [
            "    @overload\n    def __init__(\n"
            f"        self: {name}[{value}],\n{given}        *,\n"
            f"        {named},\n        **options: Unpack[_Options],\n    ) -> None: ...\n"
        ]
    return lines


def write() -> str:
    parts = [HEAD]
    for name, value in VALUES.items():
        var = f"_{name.removesuffix('Field')}"
        base = f"{value.base}[{var}]"
        if value.base == "BaseField":
            base = f"BaseField[{var}, {var}{value.set}]"
        parts.append(f'\n{var} = TypeVar("{var}", default={value.read} | None)\n')
        parts.append(f"\nclass {name}({base}):\n")
        maybe = f"{value.read} | None"
        parts += signatures(name, value.read, options_of(name), maybe)
    for name, (base, own) in GENERIC.items():
        parts.append(f"\nclass {name}({base}):\n")
        parts += signatures(name, "_I", [own.format("_I")], "_I | None")
    parts.append(LISTS)
    for name, (base, read, accepts) in PLAIN.items():
        generic = f"[{read}, {accepts}]" if read else ""
        parts.append(f"\nclass {name}({base}{generic}):\n")
        own = "".join(f"        {one},\n" for one in plain_options(name))
        parts.append(
            f"    def __init__(\n        self,\n{own}        **options: Unpack[_AllOptions],\n"
            "    ) -> None: ...\n"
        )
    parts.append("\n__all__ = [\n" + "".join(f'    "{one}",\n' for one in fields.__all__) + "]\n")
    return formatted("".join(parts))


def formatted(text: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout


def plain_options(name: str) -> list[str]:
    signature = inspect.signature(getattr(fields, name).__init__)
    found: list[str] = []
    for p in list(signature.parameters.values())[1:]:
        if getattr(fields, name).__init__ is fields.BaseField.__init__ or p.name == "choices":
            continue
        if p.kind is p.VAR_POSITIONAL:
            found.append(f"*{p.name}: Any")
        elif p.kind is not p.VAR_KEYWORD:
            needed = p.default is p.empty
            found.append(f"{p.name}: {p.annotation}" + ("" if needed else " = ..."))
    return found


if __name__ == "__main__":
    STUB.write_text(write())
