# SPDX-License-Identifier: Apache-2.0
"""Errors of documents as Django's forms have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import ValidationError

from mongodb.errors import ValidationError as DocumentError

__all__ = ["django_error", "django_errors"]


def django_error(error: Any) -> ValidationError:
    """Return one error of a field; those below it say where."""
    return ValidationError([ValidationError(one, code="invalid") for one in _messages(error, "")])


def django_errors(error: DocumentError) -> ValidationError:
    """Return the errors of a document by field."""
    if not error.errors:
        name = error.field_name
        return ValidationError({name: [error.message]} if name else error.message, code="invalid")
    return ValidationError({str(name): django_error(one) for name, one in error.errors.items()})


def _messages(error: Any, path: str) -> Iterator[str]:
    if isinstance(error, ValidationError):
        for one in error.messages:
            yield f"{path}: {one}" if path else one
    elif isinstance(error, DocumentError) and not error.errors:
        yield f"{path}: {error.message}" if path else _sentence(error.message)
    elif isinstance(error, (DocumentError, Mapping)):
        below = error.errors if isinstance(error, DocumentError) else error
        for name, one in below.items():
            yield from _messages(one, f"{path}.{name}" if path else str(name))
    else:
        yield f"{path}: {error}" if path else _sentence(str(error))


def _sentence(text: str) -> str:
    """A document's messages go on after a field's name; a form shows them alone."""
    return text if text[:1].isupper() else f"This {text}" if text.startswith(
        ("must", "is ", "needs")) else text  # fmt: skip
