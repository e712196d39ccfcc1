# SPDX-License-Identifier: Apache-2.0
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

_String = TypeVar("_String", default=str | None)

class StringField(BaseField[_String, _String]):
    @overload
    def __init__(
        self: StringField[str],
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: StringField[str],
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: StringField[str],
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: str | Callable[[], str],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: StringField[str | None],
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_URL = TypeVar("_URL", default=str | None)

class URLField(StringField[_URL]):
    @overload
    def __init__(
        self: URLField[str],
        url_regex: re.Pattern[str] | None = ...,
        schemes: Iterable[str] | None = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: URLField[str],
        url_regex: re.Pattern[str] | None = ...,
        schemes: Iterable[str] | None = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: URLField[str],
        url_regex: re.Pattern[str] | None = ...,
        schemes: Iterable[str] | None = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: str | Callable[[], str],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: URLField[str | None],
        url_regex: re.Pattern[str] | None = ...,
        schemes: Iterable[str] | None = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Email = TypeVar("_Email", default=str | None)

class EmailField(StringField[_Email]):
    @overload
    def __init__(
        self: EmailField[str],
        domain_whitelist: Iterable[str] | None = ...,
        allow_utf8_user: bool = ...,
        allow_ip_domain: bool = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmailField[str],
        domain_whitelist: Iterable[str] | None = ...,
        allow_utf8_user: bool = ...,
        allow_ip_domain: bool = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmailField[str],
        domain_whitelist: Iterable[str] | None = ...,
        allow_utf8_user: bool = ...,
        allow_ip_domain: bool = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: str | Callable[[], str],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmailField[str | None],
        domain_whitelist: Iterable[str] | None = ...,
        allow_utf8_user: bool = ...,
        allow_ip_domain: bool = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Int = TypeVar("_Int", default=int | None)

class IntField(BaseField[_Int, _Int]):
    @overload
    def __init__(
        self: IntField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: IntField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: IntField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: int | Callable[[], int],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: IntField[int | None],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Long = TypeVar("_Long", default=int | None)

class LongField(IntField[_Long]):
    @overload
    def __init__(
        self: LongField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: LongField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: LongField[int],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: int | Callable[[], int],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: LongField[int | None],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Float = TypeVar("_Float", default=float | None)

class FloatField(BaseField[_Float, _Float]):
    @overload
    def __init__(
        self: FloatField[float],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: FloatField[float],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: FloatField[float],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: float | Callable[[], float],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: FloatField[float | None],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Boolean = TypeVar("_Boolean", default=bool | None)

class BooleanField(BaseField[_Boolean, _Boolean]):
    @overload
    def __init__(
        self: BooleanField[bool],
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BooleanField[bool],
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BooleanField[bool],
        *,
        default: bool | Callable[[], bool],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BooleanField[bool | None],
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Decimal = TypeVar("_Decimal", default=Decimal | None)

class DecimalField(BaseField[_Decimal, _Decimal | int | float | str]):
    @overload
    def __init__(
        self: DecimalField[Decimal],
        min_value: Any = ...,
        max_value: Any = ...,
        force_string: bool = ...,
        precision: int | None = ...,
        rounding: str = ...,
        max_digits: int | None = ...,
        decimal_places: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DecimalField[Decimal],
        min_value: Any = ...,
        max_value: Any = ...,
        force_string: bool = ...,
        precision: int | None = ...,
        rounding: str = ...,
        max_digits: int | None = ...,
        decimal_places: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DecimalField[Decimal],
        min_value: Any = ...,
        max_value: Any = ...,
        force_string: bool = ...,
        precision: int | None = ...,
        rounding: str = ...,
        max_digits: int | None = ...,
        decimal_places: int | None = ...,
        *,
        default: Decimal | Callable[[], Decimal],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DecimalField[Decimal | None],
        min_value: Any = ...,
        max_value: Any = ...,
        force_string: bool = ...,
        precision: int | None = ...,
        rounding: str = ...,
        max_digits: int | None = ...,
        decimal_places: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Decimal128 = TypeVar("_Decimal128", default=Decimal128 | None)

class Decimal128Field(BaseField[_Decimal128, _Decimal128 | Decimal | int | float | str]):
    @overload
    def __init__(
        self: Decimal128Field[Decimal128],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Decimal128Field[Decimal128],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Decimal128Field[Decimal128],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: Decimal128 | Callable[[], Decimal128],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: Decimal128Field[Decimal128 | None],
        min_value: Any = ...,
        max_value: Any = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Binary = TypeVar("_Binary", default=bytes | None)

class BinaryField(BaseField[_Binary, _Binary]):
    @overload
    def __init__(
        self: BinaryField[bytes],
        max_bytes: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BinaryField[bytes],
        max_bytes: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BinaryField[bytes],
        max_bytes: int | None = ...,
        *,
        default: bytes | Callable[[], bytes],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: BinaryField[bytes | None],
        max_bytes: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_ObjectId = TypeVar("_ObjectId", default=ObjectId | None)

class ObjectIdField(BaseField[_ObjectId, _ObjectId | str]):
    @overload
    def __init__(
        self: ObjectIdField[ObjectId],
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ObjectIdField[ObjectId],
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ObjectIdField[ObjectId],
        *,
        default: ObjectId | Callable[[], ObjectId],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ObjectIdField[ObjectId | None],
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_UUID = TypeVar("_UUID", default=UUID | None)

class UUIDField(BaseField[_UUID, _UUID | str]):
    @overload
    def __init__(
        self: UUIDField[UUID],
        binary: bool = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: UUIDField[UUID],
        binary: bool = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: UUIDField[UUID],
        binary: bool = ...,
        *,
        default: UUID | Callable[[], UUID],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: UUIDField[UUID | None],
        binary: bool = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_DateTime = TypeVar("_DateTime", default=datetime | None)

class DateTimeField(BaseField[_DateTime, _DateTime | date | str]):
    @overload
    def __init__(
        self: DateTimeField[datetime],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateTimeField[datetime],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateTimeField[datetime],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        default: datetime | Callable[[], datetime],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateTimeField[datetime | None],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_Date = TypeVar("_Date", default=date | None)

class DateField(BaseField[_Date, _Date | str]):
    @overload
    def __init__(
        self: DateField[date],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateField[date],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateField[date],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        default: date | Callable[[], date],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: DateField[date | None],
        auto_now: bool = ...,
        auto_now_add: bool = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

_ComplexDateTime = TypeVar("_ComplexDateTime", default=datetime | None)

class ComplexDateTimeField(BaseField[_ComplexDateTime, _ComplexDateTime | str]):
    @overload
    def __init__(
        self: ComplexDateTimeField[datetime],
        separator: str = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ComplexDateTimeField[datetime],
        separator: str = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ComplexDateTimeField[datetime],
        separator: str = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: datetime | Callable[[], datetime],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ComplexDateTimeField[datetime | None],
        separator: str = ...,
        regex: str | re.Pattern[str] | None = ...,
        max_length: int | None = ...,
        min_length: int | None = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

class EnumField(BaseField[_E, _E]):
    @overload
    def __init__(
        self: EnumField[_I],
        enum: type[_I],
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EnumField[_I],
        enum: type[_I],
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EnumField[_I],
        enum: type[_I],
        *,
        default: _I | Callable[[], _I],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EnumField[_I | None],
        enum: type[_I],
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

class EmbeddedDocumentField(BaseField[_E, _E]):
    @overload
    def __init__(
        self: EmbeddedDocumentField[_I],
        document_type: type[_I] | str,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmbeddedDocumentField[_I],
        document_type: type[_I] | str,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmbeddedDocumentField[_I],
        document_type: type[_I] | str,
        *,
        default: _I | Callable[[], _I],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: EmbeddedDocumentField[_I | None],
        document_type: type[_I] | str,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

class ReferenceField(BaseField[_E, _E | DBRef | ObjectId]):
    @overload
    def __init__(
        self: ReferenceField[_I],
        document_type: type[_I] | str,
        dbref: bool = ...,
        reverse_delete_rule: int = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ReferenceField[_I],
        document_type: type[_I] | str,
        dbref: bool = ...,
        reverse_delete_rule: int = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ReferenceField[_I],
        document_type: type[_I] | str,
        dbref: bool = ...,
        reverse_delete_rule: int = ...,
        *,
        default: _I | Callable[[], _I],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: ReferenceField[_I | None],
        document_type: type[_I] | str,
        dbref: bool = ...,
        reverse_delete_rule: int = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

class CachedReferenceField(BaseField[_E, _E | DBRef | ObjectId]):
    @overload
    def __init__(
        self: CachedReferenceField[_I],
        document_type: type[_I] | str,
        fields: Sequence[str] | None = ...,
        auto_sync: bool = ...,
        *,
        required: Literal[True],
        default: Any = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: CachedReferenceField[_I],
        document_type: type[_I] | str,
        fields: Sequence[str] | None = ...,
        auto_sync: bool = ...,
        *,
        primary_key: Literal[True],
        default: Any = ...,
        required: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: CachedReferenceField[_I],
        document_type: type[_I] | str,
        fields: Sequence[str] | None = ...,
        auto_sync: bool = ...,
        *,
        default: _I | Callable[[], _I],
        required: bool = ...,
        primary_key: bool = ...,
        **options: Unpack[_Options],
    ) -> None: ...
    @overload
    def __init__(
        self: CachedReferenceField[_I | None],
        document_type: type[_I] | str,
        fields: Sequence[str] | None = ...,
        auto_sync: bool = ...,
        *,
        default: Callable[[], None] | None = ...,
        required: Literal[False] = ...,
        primary_key: Literal[False] = ...,
        **options: Unpack[_Options],
    ) -> None: ...

class ListField(BaseField[list[_I], Sequence[_I]]):
    field: Any
    max_length: int | None
    @overload
    def __init__(
        self: ListField[Any],
        field: None = ...,
        *,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ListField[_E],
        field: BaseField[_E | None, Any],
        *,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: ListField[_E],
        field: BaseField[_E, Any],
        *,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class SortedListField(ListField[_I]):
    @overload
    def __init__(
        self: SortedListField[Any],
        field: None = ...,
        *,
        ordering: str | None = ...,
        reverse: bool = ...,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: SortedListField[_E],
        field: BaseField[_E | None, Any],
        *,
        ordering: str | None = ...,
        reverse: bool = ...,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: SortedListField[_E],
        field: BaseField[_E, Any],
        *,
        ordering: str | None = ...,
        reverse: bool = ...,
        max_length: int | None = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class EmbeddedDocumentListField(BaseField[EmbeddedDocumentList[_E], Sequence[_E]]):
    field: Any
    def __init__(
        self,
        document_type: type[_E] | str,
        *,
        max_length: int | None = ...,
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

class SequenceField(BaseField[int, int]):
    def __init__(
        self,
        collection_name: str | None = ...,
        db_alias: str | None = ...,
        sequence_name: str | None = ...,
        value_decorator: Callable[[Any], Any] | None = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class VersionField(BaseField[int | None, int | None]):
    def __init__(
        self,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class DynamicField(BaseField[Any, Any]):
    def __init__(
        self,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class GenericEmbeddedDocumentField(BaseField[Any, Any]):
    def __init__(
        self,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class GenericReferenceField(BaseField[Any, Any]):
    def __init__(
        self,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class GenericLazyReferenceField(BaseField[Any, Any]):
    def __init__(
        self,
        *args: Any,
        passthrough: bool = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class LazyReferenceField(BaseField[Any, Any]):
    def __init__(
        self,
        document_type: Any,
        passthrough: bool = ...,
        dbref: bool = ...,
        reverse_delete_rule: int = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class FileField(BaseField[Any, Any]):
    def __init__(
        self,
        db_alias: str = ...,
        collection_name: str = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class ImageField(FileField):
    def __init__(
        self,
        size: Any = ...,
        thumbnail_size: Any = ...,
        collection_name: str = ...,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class GeoPointField(BaseField[Any, Any]):
    def __init__(
        self,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class GeoJsonBaseField(BaseField[Any, Any]):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class PointField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class LineStringField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class PolygonField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class MultiPointField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class MultiLineStringField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

class MultiPolygonField(GeoJsonBaseField):
    def __init__(
        self,
        auto_index: bool = ...,
        *args: Any,
        **options: Unpack[_AllOptions],
    ) -> None: ...

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "BaseField",
    "BinaryField",
    "BooleanField",
    "CachedReferenceField",
    "ComplexDateTimeField",
    "DateField",
    "DateTimeField",
    "Decimal128Field",
    "DecimalField",
    "DictField",
    "DynamicField",
    "EmailField",
    "EmbeddedDocumentField",
    "EmbeddedDocumentList",
    "EmbeddedDocumentListField",
    "EnumField",
    "FileField",
    "FloatField",
    "GenericEmbeddedDocumentField",
    "GenericLazyReferenceField",
    "GenericReferenceField",
    "GeoJsonBaseField",
    "GeoPointField",
    "GridFSError",
    "GridFSProxy",
    "ImageField",
    "ImageGridFsProxy",
    "ImproperlyConfigured",
    "IntField",
    "LazyReference",
    "LazyReferenceField",
    "LineStringField",
    "ListField",
    "LongField",
    "MapField",
    "MultiLineStringField",
    "MultiPointField",
    "MultiPolygonField",
    "ObjectIdField",
    "PointField",
    "PolygonField",
    "ReferenceField",
    "SequenceField",
    "SortedListField",
    "StringField",
    "URLField",
    "UUIDField",
    "VersionField",
]
