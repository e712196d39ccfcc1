# SPDX-License-Identifier: Apache-2.0
"""What MongoEngine's projects read in errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mongodb import errors as _errors

__all__ = ["ValidationError", "in_their_words", "of_update", "unresolved"]

_WORDS: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = [
    (re.compile(r"is required( and cannot be empty)?"), "Field is required"),
    (re.compile(r"must be a string, not .*"), "StringField only accepts string values"),
    (re.compile(r"must be an ObjectId .*"), "Invalid ObjectID"),
    (re.compile(r"must have at most \d+ items, .*"), "List is too long"),
    (re.compile(r"must be a list, not .*"), "Only lists and tuples may be used in a list field"),
    (re.compile(r"must be a dict, not .*"), "Only dictionaries may be used in a DictField"),
    (re.compile(r"must be one of (.*), not .*", re.DOTALL), r"Value must be one of (\1)"),
    (re.compile(r"must have at least \d+ characters.*"), "String value is too short"),
    (re.compile(r"must have at most \d+ characters.*"), "String value is too long"),
    (re.compile(r"must be a whole number, not '(.*)'"), r"\1 could not be converted to int"),
    (re.compile(r"must be a URL .*, not '(.*)'"), r"Invalid URL: \1"),
    (re.compile(r"must be an e-mail address .*, not '(.*)'"), lambda match: _no_email(match[1])),
]
_REFUSED = "was refused by its validation function"


def _no_email(given: str) -> str:
    said = f"Invalid email address: {given}"
    try:
        given.rpartition("@")[2].encode("idna")
    except UnicodeError as error:
        return f"{said} domain failed IDN encoding: {error}"
    return said


_UNRESOLVED = re.compile(r"has no field '([^']*)'")


class ValidationError(_errors.ValidationError):
    """The refusal of a document: its message has class, key, and the fields by what is wrong."""

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.message, self.errors)


def _restored(message: str, errors: Any) -> ValidationError:
    return ValidationError(message, errors=errors)


def in_their_words(document: Any, error: _errors.ValidationError) -> ValidationError:
    """Return the refusal of a document as MongoEngine has it."""
    fields = document._fields
    errors = {name: _translated(one, fields.get(name)) for name, one in error.errors.items()}
    found = ValidationError(errors=errors)
    by_reason: dict[str, list[Any]] = {}
    for name, reason in found.to_dict().items():
        by_reason.setdefault(_flat(reason), []).append(name)
    reasons = " ".join(f"{reason}: {names}" for reason, names in by_reason.items())
    key = getattr(document, "pk", None)
    found.message = f"ValidationError ({document._class_name}:{key}) ({reasons})"
    found.args = (found.message,)
    return found


def _translated(error: Any, field: Any = None) -> Any:
    if isinstance(error, Mapping):
        return {key: _translated(one) for key, one in error.items()}
    if not isinstance(error, _errors.ValidationError):
        return error
    if error.errors:
        return _translated(error.errors)
    if error.message == _REFUSED:
        raise _errors.DeprecatedError(
            f"validation argument for `{error.field_name}` must not return anything, it should "
            "raise a ValidationError if validation fails"
        )
    for pattern, words in _WORDS:
        match = pattern.fullmatch(error.message)
        if match is not None:
            said = words(match) if callable(words) else match.expand(words)
            choices = getattr(field, "choices", None)
            if choices and said.startswith("Value must be one of"):
                values = field.choice_values()
                said = f"Value must be one of {choices if values == [*choices] else values}"
            return _errors.ValidationError(said, field_name=error.field_name)
    return error


def _flat(reason: Any) -> str:
    """Return the reasons below a field: the path to each, and what it says."""
    if isinstance(reason, Mapping):
        return " ".join(f"{key}.{_flat(one)}" for key, one in reason.items())
    return str(reason)


def of_update(error: _errors.ValidationError) -> _errors.ValidationError:
    """Return the refusal of a value in an update as MongoEngine has it."""
    where, _, reason = error.message.partition(": ")
    return _translated(_errors.ValidationError(reason, field_name=where))  # type: ignore[no-any-return]


def unresolved(error: _errors.MongoError) -> _errors.MongoError:
    """Return the error of a lookup that names no field as MongoEngine has it."""
    match = _UNRESOLVED.search(str(error))
    return error if match is None else type(error)(f'Cannot resolve field "{match[1]}"')
