# SPDX-License-Identifier: Apache-2.0
"""What MongoEngine's projects read in errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mongodb import errors as _errors

__all__ = ["ValidationError", "in_their_words", "unresolved"]

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
    (re.compile(r"must be an e-mail address .*, not '(.*)'"), r"Invalid email address: \1"),
]
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
    errors = {name: _translated(one) for name, one in error.errors.items()}
    found = ValidationError(errors=errors)
    by_reason: dict[str, list[Any]] = {}
    for name, reason in found.to_dict().items():
        by_reason.setdefault(_flat(reason), []).append(name)
    reasons = " ".join(f"{reason}: {names}" for reason, names in by_reason.items())
    key = getattr(document, "pk", None)
    found.message = f"ValidationError ({document._class_name}:{key}) ({reasons})"
    found.args = (found.message,)
    return found


def _translated(error: Any) -> Any:
    if isinstance(error, Mapping):
        return {key: _translated(one) for key, one in error.items()}
    if not isinstance(error, _errors.ValidationError):
        return error
    if error.errors:
        return _translated(error.errors)
    for pattern, words in _WORDS:
        match = pattern.fullmatch(error.message)
        if match is not None:
            said = words(match) if callable(words) else match.expand(words)
            return _errors.ValidationError(said, field_name=error.field_name)
    return error


def _flat(reason: Any) -> str:
    """Return the reasons below a field: the path to each, and what it says."""
    if isinstance(reason, Mapping):
        return " ".join(f"{key}.{_flat(one)}" for key, one in reason.items())
    return str(reason)


def unresolved(error: _errors.MongoError) -> _errors.MongoError:
    """Return the error of a lookup that names no field as MongoEngine has it."""
    match = _UNRESOLVED.search(str(error))
    return error if match is None else type(error)(f'Cannot resolve field "{match[1]}"')
