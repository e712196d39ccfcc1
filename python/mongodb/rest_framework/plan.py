# SPDX-License-Identifier: Apache-2.0
"""What C shows of a serializer's fields, and what it leaves to them.

A plan is made for one list from the fields that the serializer has then, so it knows what this
request removed, added or changed. A field is shown in C only when it is known to show a value just
as C does: its class overrides nothing that shows, and nothing was set on the instance but the
options that are looked at here.
"""

import contextvars
import datetime
import decimal
import zoneinfo
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers
from rest_framework.relations import PKOnlyObject, RelatedField
from rest_framework.settings import api_settings

from mongodb import _core
from mongodb.document import Document
from mongodb.fields import EmbeddedDocumentListField

from . import fields

__all__ = ["KNOWN", "compile_plan", "rows"]

# Ways to show a value; the order is that of rows.h.
PYTHON, TEXT, INT, FLOAT, BOOL, DECIMAL, DATETIME, DATE, UUID, OBJECT_ID = range(10)
BINARY, REFERENCE, DYNAMIC, RAW, CHOICE, LIST, DICT, NESTED = range(10, 18)

Shape = tuple[int, Any, int, int, bool, Any]
SKIP = object()
# DRF's own, whatever is put in their place later
SHOW_FIELDS = serializers.Serializer.to_representation
READABLE = serializers.Serializer.__dict__["_readable_fields"]
SHOW_ITEMS = {serializers.ListSerializer.to_representation}  # and ours: see lists.py
GET_ATTRIBUTE = serializers.Field.get_attribute
GET_KEY = RelatedField.get_attribute


def rows(serializer: Any, documents: Any, *kept: Any) -> list[Any]:
    """What `serializer.to_representation` shows of each document. For `kept` see keeper.py."""
    return _core.rows(serializer, documents, TOOLS, *kept)


def compile_plan(serializer: Any) -> list[Any] | None:
    """(name, field, attribute, shape) of the fields that are shown; None: Python shows them all."""
    if not shows_fields(serializer):
        return None
    return [entry_of(field) for field in serializer._readable_fields]


def shows_fields(serializer: Any) -> bool:
    """Whether the serializer shows its fields one by one, as DRF's does."""
    cls = type(serializer)
    return (
        getattr(cls, "to_representation", None) is SHOW_FIELDS
        and getattr(cls, "_readable_fields", None) is READABLE
        and getattr(cls, "__getattribute__", None) is object.__getattribute__
        and "to_representation" not in serializer.__dict__
    )


def entry_of(field: Any) -> tuple[str, Any, str | None, Shape | None]:
    attributes = field.source_attrs
    shape = shape_of(field) if len(attributes) == 1 else None
    if shape is None or not reads_plainly(field):
        return field.field_name, field, None, None
    return field.field_name, field, attributes[0], shape


def reads_plainly(field: Any) -> bool:
    """Whether the field takes its value by the attribute's name."""
    usual = GET_KEY if isinstance(field, RelatedField) else GET_ATTRIBUTE
    return type(field).get_attribute is usual and "get_attribute" not in field.__dict__


def shape_of(field: Any) -> Shape | None:
    """How C shows the field's values; None: it does not."""
    if isinstance(field, serializers.BaseSerializer):
        return serializer_shape(field)
    known = known_class(type(field))
    if known is None or not known.untouched(field):
        return None
    return known.shape(field)


def show_field(field: Any, document: Any) -> Any:
    """What DRF's Serializer shows of one field."""
    try:
        attribute = field.get_attribute(document)
    except serializers.SkipField:
        return SKIP
    value = attribute.pk if isinstance(attribute, PKOnlyObject) else attribute
    return None if value is None else field.to_representation(attribute)


def in_contexts() -> bool:
    """Whether the current time zone is kept in the thread's context: by asgiref from 3.7 on."""
    before = contextvars.copy_context()
    with timezone.override(datetime.timezone(datetime.timedelta(minutes=1))):
        return contextvars.copy_context() != before


IN_CONTEXTS = in_contexts()


def style(before: Any) -> tuple[Any, int, Any] | None:
    """The zone times are shown in, or what ends them as they are stored, or None; the precision;
    what both follow from. None: that is as it was `before`. Asking Django for the zone takes as
    long as showing a document, so after each call of Python it is the context that is compared."""
    context = decimal.getcontext()
    use = settings.USE_TZ
    now = (
        *(context.prec, context.Emax, context.Emin, use),
        timezone.get_default_timezone() if use else None,
        contextvars.copy_context() if IN_CONTEXTS else object(),
    )
    if is_same(now, before):
        return None
    precision = context.prec if context.Emax >= 6144 and context.Emin <= -6143 else 0
    return zone_now() if use else "", precision, now


def is_same(now: Any, before: Any) -> bool:
    try:
        return bool(now == before)
    except Exception:  # of a context's value
        return False


def zone_now() -> Any:
    zone = timezone.get_current_timezone()
    if zone is datetime.UTC:
        return "Z"
    if type(zone) is zoneinfo.ZoneInfo:
        return "Z" if zone.key == "UTC" else zone
    return zone if type(zone) is datetime.timezone else None


TOOLS = (compile_plan, show_field, SKIP, style, EmbeddedDocumentListField, Document.__dict__["pk"])


# Shapes of the classes that C knows. What is written twice here as code of DRF is only what decides
# whether C may show the value.


def leaf(how: int, digits: int = -1, places: int = -1) -> Shape:
    return how, None, digits, places, False, None


def always(how: int) -> Callable[[Any], Shape | None]:
    shape = leaf(how)
    return lambda field: shape


def is_iso(field: Any, setting: str) -> bool:
    chosen = getattr(field, "format", getattr(api_settings, setting))
    return isinstance(chosen, str) and chosen.lower() == "iso-8601"


def decimal_shape(field: Any) -> Shape | None:
    as_text = getattr(field, "coerce_to_string", api_settings.COERCE_DECIMAL_TO_STRING)
    if not as_text or field.localize or field.normalize_output:
        return None
    digits, places = field.max_digits, field.decimal_places
    if digits == 0 or not all(
        one is None or (type(one) is int and one >= 0) for one in (digits, places)
    ):
        return None
    return leaf(DECIMAL, -1 if digits is None else digits, -1 if places is None else places)


def datetime_shape(field: Any) -> Shape | None:
    if hasattr(field, "timezone") or not is_iso(field, "DATETIME_FORMAT"):
        return None
    return leaf(DATETIME)


def date_shape(field: Any) -> Shape | None:
    return leaf(DATE) if is_iso(field, "DATE_FORMAT") else None


def uuid_shape(field: Any) -> Shape | None:
    return leaf(UUID) if field.uuid_format == "hex_verbose" else None


def dynamic_shape(field: Any) -> Shape | None:
    return leaf(DYNAMIC) if api_settings.DATETIME_FORMAT == "iso-8601" else None


def reference_shape(field: Any) -> Shape | None:
    return leaf(REFERENCE) if field.pk_field is None else None


def choice_shape(field: Any) -> Shape | None:
    choices = field.choice_strings_to_values
    return (CHOICE, choices, -1, -1, False, None) if type(choices) is dict else None


def list_shape(field: Any) -> Shape | None:
    item = shape_of(field.child)
    return None if item is None else (LIST, None, -1, -1, True, item)


def dict_shape(field: Any) -> Shape | None:
    item = shape_of(field.child)
    return None if item is None else (DICT, None, -1, -1, True, item)


def serializer_shape(field: Any) -> Shape | None:
    if shows_fields(field):
        return NESTED, field, -1, -1, False, None
    if not getattr(field, "many", False) or not shows_items(field):
        return None
    item = shape_of(field.child)
    return (LIST, None, -1, -1, False, item) if item is not None and item[0] == NESTED else None


def shows_items(field: Any) -> bool:
    """Whether a list serializer shows each item by its child, as DRF's does."""
    usual = type(field).to_representation in SHOW_ITEMS
    return usual and "to_representation" not in field.__dict__


# Attributes that a field of a known class may have of its own: they do not change what it shows,
# or its shape depends on them.
HARMLESS = frozenset(
    "read_only write_only required default source initial label help_text style allow_null "
    "default_empty_html validators _validators field_name parent error_messages _args _kwargs "
    "_creation_counter source_attrs child queryset html_cutoff html_cutoff_text "
    "format uuid_format timezone input_formats coerce_to_string localize normalize_output rounding "
    "max_digits decimal_places max_whole_digits max_value min_value max_length min_length "
    "allow_blank allow_empty trim_whitespace grouped_choices _choices choice_strings_to_values "
    "pk_field document_type max_bytes allow_unicode context root".split()
)


class Known:
    """A serializer field's class that C shows as Python does."""

    def __init__(
        self, base: type, methods: str, shape: Callable[[Any], Shape | None], own: str = ""
    ) -> None:
        self.base = base
        # the functions that make what is shown: replaced ones are not known
        self.code = {name: base.__dict__.get(name, getattr(base, name)) for name in methods.split()}
        self.shape = shape
        # what the field may not have of its own: what the class would be asked for
        self.names = frozenset(dir(base)) - HARMLESS - frozenset(own.split())

    def is_class(self, cls: type) -> bool:
        """Whether a class shows values as the base does."""
        if cls is not self.base:
            for one in cls.__mro__[: cls.__mro__.index(self.base)]:
                if not self.names.isdisjoint(one.__dict__.keys() - UNSHOWN):
                    return False
        return all(getattr(cls, name) is code for name, code in self.code.items())

    def untouched(self, field: Any) -> bool:
        """Whether nothing that makes what is shown was set on the field."""
        return self.names.isdisjoint(field.__dict__)


# What subclasses define without changing what is shown.
UNSHOWN = frozenset(
    "__module__ __qualname__ __doc__ __init__ __firstlineno__ __static_attributes__ "
    "__annotations__ __dict__ __weakref__ __orig_bases__ __parameters__ __repr__ __deepcopy__ "
    "__hash__ default_error_messages default_validators initial to_internal_value run_validation "
    "run_validators validate_empty_values get_validators get_value get_initial fail".split()
)

TEXTS = (
    serializers.CharField,
    serializers.EmailField,
    serializers.URLField,
    serializers.RegexField,
    serializers.SlugField,
)
KNOWN: dict[type, Known] = {
    known.base: known
    for known in (
        *(Known(cls, "to_representation", always(TEXT)) for cls in TEXTS),
        Known(serializers.IntegerField, "to_representation", always(INT)),
        Known(serializers.FloatField, "to_representation", always(FLOAT)),
        Known(
            serializers.BooleanField,
            "to_representation TRUE_VALUES FALSE_VALUES NULL_VALUES",
            always(BOOL),
        ),
        Known(serializers.DecimalField, "to_representation quantize", decimal_shape),
        Known(
            fields.DateTimeField,
            "to_representation enforce_timezone default_timezone",
            datetime_shape,
        ),
        Known(serializers.DateField, "to_representation", date_shape),
        Known(serializers.UUIDField, "to_representation", uuid_shape),
        Known(fields.ObjectIdField, "to_representation", always(OBJECT_ID)),
        Known(fields.BinaryField, "to_representation", always(BINARY)),
        Known(
            fields.ReferenceField,
            "to_representation use_pk_only_optimization",
            reference_shape,
        ),
        Known(fields.DynamicField, "to_representation", dynamic_shape),
        Known(serializers.ReadOnlyField, "to_representation", always(RAW)),
        Known(type(serializers.ListField.child), "to_representation", always(RAW)),
        Known(serializers.ChoiceField, "to_representation", choice_shape),
        Known(serializers.ListField, "to_representation", list_shape),
        Known(serializers.DictField, "to_representation", dict_shape),
    )
}


def known_class(cls: type) -> Known | None:
    """What is known of the nearest known base, if the class shows values as it does."""
    known = KNOWN.get(cls) or next((KNOWN[one] for one in cls.__mro__ if one in KNOWN), None)
    return known if known is not None and known.is_class(cls) else None
