# SPDX-License-Identifier: Apache-2.0
"""The text of a query parameter as a lookup takes it: converted by the field, or refused."""

import base64
import binascii
import datetime
import decimal
import math
import re
import uuid
from collections.abc import Callable
from typing import Any

from bson import Decimal128, ObjectId
from bson.errors import InvalidId
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from mongodb import errors
from mongodb.fields import ComplexDateTimeField, Decimal128Field, EnumField
from mongodb.fields.dates import parse_datetime
from mongodb.fields.scalar import STRING_OPERATORS
from mongodb.queryset import Q, geo
from mongodb.queryset._keywords import _native
from mongodb.queryset._through import JOINS, ThroughReference
from mongodb.queryset.lookups import Lookup, parse

__all__ = ["Refused", "check_filter", "check_text", "conditions", "to_boolean"]

# Lookups whose value is a list, given as a,b,c.
LIST_LOOKUPS = {"in", "nin", "all"}
TRUE_WORDS = {"true", "1", "yes", "on"}
FALSE_WORDS = {"false", "0", "no", "off"}
# Lookups for which the value is one that a document may have.
EQUALITY = {None, "eq", "ne", "not", *LIST_LOOKUPS}
TYPES = frozenset(
    "double string object array binData undefined objectId bool date null regex dbPointer "
    "javascript symbol javascriptWithScope int timestamp long decimal minKey maxKey number".split()
)
TYPE_NUMBERS = {-1, *range(1, 20), 127}
LONGEST = 20  # digits and sign of a number of 64 bits


class Refused(Exception):
    """A value that the field or the lookup cannot take; the argument says what was expected."""

    def __init__(self, message: str | Promise) -> None:
        super().__init__(message)
        self.message = message


def conditions(model: Any, name: str, lookup: str, text: str) -> dict[str, Any]:
    """Return keywords of `filter()` for a declared filter; Refused when the text is no value."""
    if lookup == "isnull":
        return {name if to_boolean(text) else f"{name}__ne": None}
    if lookup == "range":
        ends = text.split(",")
        if len(ends) != 2:
            raise Refused(_("Two values are required: from,to."))
        low, high = (conditions(model, name, op, end) for op, end in zip(("gte", "lte"), ends))  # noqa: B905
        return {**low, **high}
    key = name if lookup == "exact" else f"{name}__{lookup}"
    try:
        found = _lookup(model, key)
    except errors.MongoError as error:
        raise ImproperlyConfigured(f"filterset_fields: {error}") from error
    except geo.DistanceMet:
        found = None
    if found is None or found.op in geo.OPERATORS:
        raise ImproperlyConfigured(f"filterset_fields: {key}: a place is no text of a query")
    return {key: value(found.field, found.op, text)}


def _lookup(model: Any, key: str) -> Lookup:
    """Return what a keyword means, if need be in the documents that references lead to."""
    try:
        return parse(model, key)
    except ThroughReference as way:
        return _lookup(way.target, "__".join(key.split("__")[way.at :]))


class _Checked:
    """Stands for those who ask for keys: below a reference, values are converted and no more."""

    def condition(self, way: ThroughReference, lookups: dict[str, Any]) -> Any:
        return Q(**lookups).to_bson(way.target)


def check_filter(model: Any, condition: Q) -> None:
    """Refuse what the fields refuse; the queryset would find it only when it is read."""
    token = JOINS.set(_Checked())
    try:
        condition.to_bson(model)
    except errors.ValidationError as error:
        raise Refused(error.message) from error
    except (errors.MongoError, ValueError, TypeError, ArithmeticError) as error:
        raise Refused(str(error)) from error
    finally:
        JOINS.reset(token)


def value(field: Any, op: str | None, text: str) -> Any:
    """Return the text of one parameter as the field's lookup takes it."""
    check_text(text)
    while field is not None and field.kind != "dict" and field._item is not None:
        field = field._item
    if op in LIST_LOOKUPS:
        return [scalar(field, op, part) for part in text.split(",") if part]
    if op in ("elemMatch", "match"):
        raise Refused(_("This lookup takes no text."))
    if op in SPECIAL:
        return SPECIAL[op](text)
    if op in STRING_OPERATORS:
        return text
    return scalar(field, op, text)


def scalar(field: Any, op: str | None, text: str) -> Any:
    """Return one value."""
    if field is None:
        return text
    if field.kind == "reference":
        target = field.document_type
        return scalar(target._fields[target._meta["id_field"]], op, text)
    if field.kind in ("embedded", "dict"):
        raise Refused(_("No text can be equal to a document."))
    if field.choices and op in EQUALITY:
        return to_choice(field, text)
    if type(field) in OWN_KINDS:
        return OWN_KINDS[type(field)](text)
    convert = CONVERTERS.get(field.kind) if _native(field) else None
    return text if convert is None else convert(text)


def check_text(text: str) -> None:
    if "\0" in text:
        raise Refused(_("Null characters are not allowed."))


def to_boolean(text: str) -> bool:
    word = text.lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise Refused(_("Must be a valid boolean."))
    return word in TRUE_WORDS


def to_choice(field: Any, text: str) -> Any:
    for one in field.choice_values():
        if str(getattr(one, "value", one)) == text:
            return one
    raise Refused(_("“{input}” is not a valid choice.").format(input=text))


def to_integer(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]+\s*", text):
        raise Refused(_("A valid integer is required."))
    if len(text.strip().lstrip("+-").lstrip("0")) > LONGEST or not -(2**63) <= int(text) < 2**63:
        raise Refused(_("Ensure this value fits 64 bits."))
    return int(text)


def to_float(text: str) -> float:
    try:
        number = math.nan if "_" in text else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Refused(_("A valid number is required."))
    return number


def to_decimal(text: str) -> decimal.Decimal:
    try:
        number = decimal.Decimal(text)
        if "_" in text or not number.is_finite():
            raise Refused(_("A valid number is required."))
        Decimal128(number)
    except decimal.InvalidOperation:
        raise Refused(_("A valid number is required.")) from None
    except decimal.DecimalException:
        raise Refused(_("Ensure that there are no more than 34 digits in total.")) from None
    return number


def to_datetime(text: str) -> datetime.datetime:
    found = parse_datetime(text)
    try:
        if found is not None and found.tzinfo is not None:
            found = found.astimezone(datetime.UTC).replace(tzinfo=None)
    except OverflowError:
        found = None
    if found is None:
        raise Refused(_("A date and time such as 2024-05-31T12:00:00Z is required."))
    return found


def to_date(text: str) -> datetime.datetime:
    found = parse_datetime(text)
    if found is None:
        raise Refused(_("A date such as 2024-05-31 is required."))
    return datetime.datetime(found.year, found.month, found.day)


def to_object_id(text: str) -> ObjectId:
    try:
        return ObjectId(text)
    except InvalidId:
        raise Refused(_("“{input}” is not a valid ObjectId.").format(input=text)) from None


def to_uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Refused(_("Must be a valid UUID.")) from None


def to_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise Refused(_("Not valid base64.")) from None


def to_pattern(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise Refused(str(error)) from None
    return text


def to_size(text: str) -> int:
    size = to_integer(text)
    if size < 0:
        raise Refused(_("Ensure this value is greater than or equal to 0."))
    return size


def to_mod(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) != 2:
        raise Refused(_("Two integers are required: divisor,remainder."))
    divisor, remainder = (to_integer(one) for one in numbers)
    if divisor == 0:
        raise Refused(_("The divisor cannot be 0."))
    return [divisor, remainder]


def to_type(text: str) -> int | str:
    if text in TYPES:
        return text
    try:
        number = to_integer(text)
    except Refused:
        number = 0
    if number not in TYPE_NUMBERS:
        raise Refused(_("The name or number of a BSON type is required."))
    return number


def to_year(text: str) -> int:
    year = to_integer(text)
    if not 1 <= year < 9999:
        raise Refused(_("Enter a valid year."))
    return year


SPECIAL: dict[str | None, Callable[[str], Any]] = {
    "exists": to_boolean,
    "size": to_size,
    "mod": to_mod,
    "type": to_type,
    "regex": to_pattern,
    "iregex": to_pattern,
    **{
        f"{period}{compared}": convert
        for period, convert in (("year", to_year), ("date", to_date))
        for compared in ("", "__ne", "__gt", "__gte", "__lt", "__lte")
    },
}
CONVERTERS: dict[str, Callable[[str], Any]] = {
    "int": to_integer,
    "long": to_integer,
    "float": to_float,
    "decimal": to_decimal,
    "bool": to_boolean,
    "datetime": to_datetime,
    "date": to_date,
    "objectid": to_object_id,
    "uuid": to_uuid,
    "binary": to_bytes,
}
# Fields that convert in Python.
OWN_KINDS: dict[Any, Callable[[str], Any]] = {
    Decimal128Field: to_decimal,
    ComplexDateTimeField: to_datetime,
    EnumField: lambda text: text,
}
