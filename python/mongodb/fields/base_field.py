# SPDX-License-Identifier: Apache-2.0
"""What all fields share: options, conversion, validation."""

from __future__ import annotations

import copy
import functools
import numbers
import re
import types
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mongodb import _core
from mongodb._spelling import close_to
from mongodb.errors import NON_FIELD_ERRORS, ValidationError

__all__ = ["STORING_OPERATORS", "UPDATE_OPERATORS", "BaseField"]

UPDATE_OPERATORS = frozenset(
    "set unset inc dec mul min max push push_all pull pull_all pop add_to_set rename "
    "set_on_insert current_date".split()
)

# Those of them whose value is stored as it is given.
STORING_OPERATORS = frozenset({"set", "set_on_insert", "push", "push_all", "add_to_set"})

# Flags of spec(); the numbers are those of schema.h.
_REQUIRED, _NULL, _PY_DECODE, _PY_ENCODE, _PY_CHECK = 1, 2, 4, 8, 16
_CALL_DEFAULT, _PRIMARY, _DBREF, _LIMITS, _WARM, _EMAIL = 32, 64, 128, 256, 512, 1024
_LIMIT_OPTIONS = ("min_value", "max_value", "min_length", "max_length", "max_bytes")
_SIZES = frozenset({"min_length", "max_length", "max_bytes"})
_INF = float("inf")

# Whether to_python() is given what the store has.
_stored = _core.FROM_STORE


class BaseField:
    """A field of a document.

    A subclass may override `to_python`, `to_mongo`, `validate` and `prepare_query_value`; what it
    does not override runs in C.
    """

    kind = "python"
    name: str = ""  # until a class has it
    db_field: str
    owner_document: Any = None
    _declared_in: Any = None  # the class, abstract or not, whose body has the field
    creation_counter = 0
    auto_creation_counter = -1
    auto_created = False
    _auto_gen = False
    _item: BaseField | None = None
    _dbref = False
    _points = False  # is a reference, stored as a key
    _of_any_class = False  # is a reference to documents of any class
    _address = False
    _auto_dereference = True  # as MongoEngine says it; querysets decide
    _generic = False  # holds embedded documents of any class
    _members = False  # takes the members of an Enum alone
    default: Any = None
    verbose_name: str | None = None
    remote_field: Any = None  # Django's introspection asks: no field is a link to a parent's row

    def __init__(
        self,
        db_field: str | None = None,
        required: bool = False,
        default: Any = None,
        unique: bool = False,
        unique_with: str | Iterable[str] | None = None,
        primary_key: bool = False,
        validation: Callable[[Any], Any] | None = None,
        choices: Any = None,
        null: bool = False,
        sparse: bool = False,
        help_text: str = "",
        verbose_name: str | None = None,
        auto_created: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(db_field, str) and (
            "." in db_field or "\0" in db_field or db_field[:1] == "$"
        ):
            raise ValueError(f"db_field {db_field!r} must not hold '.' or NUL nor start with '$'")
        if db_field is not None and not isinstance(db_field, str):
            raise TypeError("db_field is the name in the store, a string")
        self.name = ""
        self.db_field = db_field if not primary_key else "_id"  # type: ignore[assignment]
        self._db_field_given = db_field
        self.required = required or primary_key
        # Each document gets its own list or dict.
        shared = isinstance(default, (list, dict, set, bytearray))
        if shared:
            default = functools.partial(copy.deepcopy, default) if default else type(default)
        self.default = default
        self.unique = bool(unique or unique_with)
        self.unique_with = unique_with
        self.primary_key = primary_key
        self.validation = validation
        self.choices = _choices(type(self).__name__, choices)
        self._check_limits()
        self.null = null
        self.sparse = sparse
        self.help_text = help_text
        if verbose_name is not None:
            self.verbose_name = verbose_name
        self.auto_created = auto_created
        clash = [key for key in kwargs if hasattr(type(self), key)]
        if clash:
            raise TypeError(
                f"{type(self).__name__} has no option {', '.join(sorted(clash))}: "
                "the name belongs to the field class"
            )
        own = _is_own(type(self))
        foreign = [key for key in kwargs if own and (key in _DJANGO or _is_option(key))]
        if foreign:
            raise TypeError(f"{type(self).__name__} has no option {', '.join(sorted(foreign))}")
        self._warn_of_typos(kwargs)
        self.__dict__.update(kwargs)
        if auto_created:
            self.creation_counter = BaseField.auto_creation_counter
            BaseField.auto_creation_counter -= 1
        else:
            self.creation_counter = BaseField.creation_counter
            BaseField.creation_counter += 1

    def _warn_of_typos(self, kwargs: Mapping[str, Any]) -> None:
        """Unknown options are kept as attributes; one that looks like a typo is told."""
        for key in kwargs:
            known = {n for cls in type(self).__mro__ for n in _options(cls)}
            close = close_to(key, known, 0.8)
            if close:
                warnings.warn(
                    f"{type(self).__name__} has no option {key!r}, did you mean {close[0]!r}? It "
                    "is kept as an attribute and does nothing",
                    stacklevel=4,
                )

    if not TYPE_CHECKING:  # as annotations write it: StringField[str]
        __class_getitem__ = classmethod(types.GenericAlias)

    # The C side

    def spec(self) -> tuple[str, int, float, float, BaseField | None]:
        """Return what `_core.Schema` compiles: kind, flags, limits, item."""
        self._check_limits(declared=True)
        low, high = self._limits()
        flags = 0
        for on, bit in (
            (self.required, _REQUIRED),
            (self.null, _NULL),
            (self._overrides("to_python"), _PY_DECODE),
            (self._overrides("to_mongo"), _PY_ENCODE),
            (self._checks_in_python(), _PY_CHECK),
            (callable(self.default), _CALL_DEFAULT),
            (self.primary_key, _PRIMARY),
            (self._dbref, _DBREF),
            (low != -_INF or high != _INF, _LIMITS),
            (self._warm(), _WARM),
            (self._address, _EMAIL),
        ):
            if on:
                flags |= bit
        return self.kind, flags, low, high, self._item

    def _check_limits(self, declared: bool = False) -> None:
        """Refuse limits that nothing fits; what is no number is told where the name is known."""
        of = f"of {self.name or type(self).__name__}"
        limits: dict[str, Any] = {option: getattr(self, option, None) for option in _LIMIT_OPTIONS}
        for option, limit in limits.items():
            if limit is not None and not isinstance(limit, numbers.Number):
                if declared:
                    raise TypeError(f"{option} {of} must be a number, not {limit!r}")
                return
            if limit is not None and option in _SIZES and limits[option] < 0:
                raise ValueError(f"{option} {of} must not be negative: {limit}")
        for what in ("value", "length"):
            low, high = limits[f"min_{what}"], limits[f"max_{what}"]
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{what} {of} is above max_{what}: {low} > {high}")

    def _overrides(self, method: str) -> bool:
        native = next(cls for cls in type(self).__mro__ if "kind" in cls.__dict__)
        return getattr(type(self), method) is not getattr(native, method)

    def _checks_in_python(self) -> bool:
        return bool(
            self.choices
            or self.validation
            or self._overrides("validate")
            or self._overrides("_validate")
        )

    def _limits(self) -> tuple[float, float]:
        return -_INF, _INF

    def _warm(self) -> bool:
        return callable(self.default) and self.default not in (list, dict)

    # Access, for field classes that override it; others are read through a slot in C.

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        return instance._get(instance._schema.index(self.name))

    def __set__(self, instance: Any, value: Any) -> None:
        instance._set(instance._schema.index(self.name), value)

    # Conversion

    def to_python(self, value: Any) -> Any:
        """Convert a stored or given value to the one documents show."""
        return value

    def from_store(self, value: Any) -> Any:
        """`to_python` for a stored value: dicts are the embedded documents that were stored."""
        token = _stored.set(True)
        try:
            return self.to_python(value)
        finally:
            _stored.reset(token)

    def to_mongo(self, value: Any) -> Any:
        """Convert a document's value to the one that is stored."""
        return self.to_python(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        """Convert a value given to a filter or update; `op` is the operator or None."""
        if value is None:
            return None
        self._check_choice_free(value)
        return self.to_mongo(self.to_python(value))

    def _check_choice_free(self, value: Any) -> None:
        """Raise when a value can never match; the base class accepts everything."""

    def _path_below(self, value: Any) -> str:
        """Return where below the field a value like this is stored, as `.a.b`."""
        return ""

    def lookup_member(self, member_name: str) -> BaseField | None:
        """Return the field that a path's next part names below this one, or None."""
        return None

    def get_default(self) -> Any:
        """Return a default value of a new document."""
        return self.default() if callable(self.default) else self.default

    # Validation

    def error(
        self,
        message: object = "",
        errors: Mapping[Any, Any] | None = None,
        field_name: str | None = None,
    ) -> None:
        """Raise a ValidationError about this field."""
        raise ValidationError(message, errors=errors, field_name=field_name or self.name)

    def validate(self, value: Any, clean: bool = True) -> None:
        """Raise a ValidationError unless the value fits."""

    def _validate(self, value: Any, **kwargs: Any) -> None:
        if self.choices:
            self._validate_choices(value)
        if self.validation is not None:
            if not callable(self.validation):
                raise ValueError(f"validation of {self.name} must be a callable")
            try:
                # A validator says no by raising or by returning False.
                if self.validation(value) is False:
                    self.error("was refused by its validation function")
            except ValidationError as error:
                raise ValidationError(
                    error.message, errors=error.errors, field_name=self.name
                ) from error
        self.validate(value, **kwargs)

    def _judge(self, value: Any, clean: bool) -> None:
        """Validate; without `clean()` of what is inside, if this field knows of it."""
        if clean or not _knows_clean(type(self)):  # type: ignore[arg-type]
            self._validate(value)
        else:
            self._validate(value, clean=False)

    def _validate_choices(self, value: Any) -> None:
        accepted = self.choice_values()
        many = value if isinstance(value, (list, tuple)) and self.kind == "list" else [value]
        for one in many:
            if one not in accepted:
                shown = ", ".join(repr(choice) for choice in accepted)
                self.error(f"must be one of {shown}, not {one!r}")

    def choice_values(self) -> list[Any]:
        """Return the accepted values without their labels."""
        if not self.choices:
            return []
        pairs = all(isinstance(c, (list, tuple)) and len(c) == 2 for c in self.choices)
        return [choice[0] for choice in self.choices] if pairs else list(self.choices)

    def choice_label(self, value: Any) -> Any:
        """Return the label of an accepted value, or the value."""
        for choice in self.choices or ():
            if isinstance(choice, (list, tuple)) and len(choice) == 2 and choice[0] == value:
                return choice[1]
        return value

    def set_auto_dereferencing(self, value: bool) -> None:
        """Accepted for compatibility: references are values and need no flag."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.name}>"


# Options of Django's models. As attributes of one's own they would look as if they worked.
_DJANGO = frozenset(
    "blank db_column db_comment db_default db_index db_tablespace editable "
    "error_messages index on_delete related_name related_query_name serialize "
    "to_field unique_for_date unique_for_month unique_for_year upload_to validators".split()
)


def _is_own(cls: type) -> bool:
    """Whether it is a class of this package: classes of users take what they like."""
    return cls.__module__.startswith("mongodb.fields.")


def _is_option(name: str) -> bool:
    """Whether a field class of this package has the option: this one does not."""
    waiting = [BaseField]
    while waiting:
        cls = waiting.pop()
        if _is_own(cls) and name in _options(cls):
            return True
        waiting += cls.__subclasses__()
    return False


def _options(cls: type) -> list[str]:
    code = getattr(vars(cls).get("__init__"), "__code__", None)
    if code is None:
        return []
    return [n for n in code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]]


@functools.cache
def _knows_clean(cls: type) -> bool:
    """Whether the class's validate() takes `clean`; one of a user's may take the value alone."""
    import inspect  # rarely asked, and slow to import

    taken = inspect.signature(cls.validate).parameters.values()  # type: ignore[attr-defined]
    return any(one.name == "clean" or one.kind is one.VAR_KEYWORD for one in taken)


def _choices(kind: str, choices: Any) -> Any:
    """Return choices as a list or tuple: of values, or of pairs with labels as a dict has them."""
    if choices is None or isinstance(choices, (list, tuple)):
        return choices
    if isinstance(choices, Mapping):
        return list(choices.items())
    if isinstance(choices, (str, bytes)) or not isinstance(choices, Iterable):
        raise TypeError(
            f"choices of {kind} are a list of values, a list of (value, label) pairs or a dict of "
            f"labels by value, not {choices!r}"
        )
    return list(choices)


class RegexMixin:
    """A compiled regular expression from a string or a pattern."""

    @staticmethod
    def compile(regex: str | re.Pattern[str] | None) -> re.Pattern[str] | None:
        return re.compile(regex) if isinstance(regex, str) else regex


def non_field(message: str) -> dict[str, str]:
    """Return `errors` for something that is about no field."""
    return {NON_FIELD_ERRORS: message}
