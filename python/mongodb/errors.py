# SPDX-License-Identifier: Apache-2.0
"""Every error this package raises; all of them are a `MongoError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "BulkWriteError",
    "ConnectionFailure",
    "DeprecatedError",
    "DoesNotExist",
    "FieldDoesNotExist",
    "InvalidCollectionError",
    "InvalidDocumentError",
    "InvalidQueryError",
    "LookUpError",
    "MongoError",
    "MultipleObjectsReturned",
    "NON_FIELD_ERRORS",
    "NotRegistered",
    "NotSupportedError",
    "NotUniqueError",
    "OperationError",
    "ProtectedError",
    "SaveConditionError",
    "StaleDocumentError",
    "ValidationError",
]

NON_FIELD_ERRORS = "__all__"


class MongoError(Exception):
    """The root of this package's errors.

    `code` and `code_name` are MongoDB's where it has one; `details` is the store's whole reply.
    """

    code: int | None
    code_name: str | None
    details: Mapping[str, Any]

    def __init__(
        self,
        message: object = "",
        *args: object,
        code: int | None = None,
        code_name: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, *args)
        self.code = code
        self.code_name = code_name
        self.details = details if details is not None else {}

    def has_error_label(self, label: str) -> bool:
        """Tell whether the store marked this error with `label`."""
        return label in self.details.get("errorLabels", ())


class ConnectionFailure(MongoError):
    """The store cannot be reached or opened, or no connection has that alias."""


class OperationError(MongoError):
    """The store refused an operation."""


class NotUniqueError(OperationError):
    """A unique index already holds such a value; `details` has keyPattern and keyValue."""


class ProtectedError(OperationError):
    """A document cannot be deleted: a reference whose rule is DENY refers to it."""


class BulkWriteError(OperationError):
    """Part of a bulk write was refused; `details["writeErrors"]` says which."""


class SaveConditionError(OperationError):
    """`save(save_condition=...)` matched nothing."""


class StaleDocumentError(SaveConditionError):
    """`save()` of a document with a VersionField that somebody changed since it was read."""


class NotSupportedError(MongoError):
    """A feature that this version does not have; the message names it."""


class DoesNotExist(MongoError):
    """No document matches; each Document class has its own subclass."""


class MultipleObjectsReturned(MongoError):
    """More than one document matches; each Document class has its own subclass."""


class InvalidQueryError(MongoError):
    """A filter or update that cannot be made from the given names and values."""


class InvalidDocumentError(MongoError):
    """A Document class is declared in a way that cannot work."""


class InvalidCollectionError(MongoError):
    """The collection exists with other options than the Document class declares."""


class NotRegistered(MongoError):
    """No Document class of that name has been defined or imported."""


class FieldDoesNotExist(MongoError):
    """A Document class has no field of that name."""


class DeprecatedError(MongoError):
    """A call that was removed."""


class LookUpError(MongoError, AttributeError):
    """A field path names something that does not exist."""


class ValidationError(MongoError, AssertionError, ValueError):
    """Values that a Document does not accept; in a lookup, that its field can never hold.

    `errors` maps field names to a `ValidationError` or, below lists and embedded documents, to
    further mappings; `to_dict()` is the same with messages only. `field_name` is the field.
    """

    errors: Mapping[Any, Any]
    field_name: str | None

    def __init__(
        self,
        message: object = "",
        *args: object,
        errors: Mapping[Any, Any] | None = None,
        field_name: str | None = None,
        code: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(message, *args, **kwargs)
        self.code = code  # type: ignore[assignment]
        self.message = str(message)
        self.errors = errors if errors is not None else {}
        self.field_name = field_name

    def to_dict(self) -> dict[Any, Any]:
        """Return the messages by field, nested as the document is."""
        return _messages(self.errors) if self.errors else {}

    def flat(self) -> dict[str, str]:
        """Return the messages by dotted field path."""
        out: dict[str, str] = {}
        _flatten("", self.to_dict(), out)
        return out

    def __str__(self) -> str:
        if not self.errors:
            return self.message
        listed = "; ".join(f"{path}: {text}" for path, text in self.flat().items())
        return f"{self.message} ({listed})" if self.message else listed

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"errors": self.errors, "field_name": self.field_name, "code": self.code}
        return type(self), (self.message,), state


def _messages(errors: Any) -> Any:
    if isinstance(errors, ValidationError):
        return _messages(errors.errors) if errors.errors else errors.message
    if isinstance(errors, Mapping):
        return {key: _messages(value) for key, value in errors.items()}
    return str(errors)


def _flatten(prefix: str, node: Any, out: dict[str, str]) -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            _flatten(f"{prefix}.{key}" if prefix else str(key), value, out)
    else:
        out[prefix] = node


# HostUnreachable, HostNotFound, NetworkTimeout, SocketException, AuthenticationFailed, ...
_CONNECTION_CODES = frozenset({6, 7, 18, 89, 91, 133, 9001, 11600, 11602})
_DUPLICATE_KEY = frozenset({11000, 11001, 12582})
_UNSUPPORTED = frozenset({115, 238})


def _class_for(code: int | None) -> type[MongoError]:
    if code in _DUPLICATE_KEY:
        return NotUniqueError
    if code in _UNSUPPORTED:
        return NotSupportedError
    return OperationError


def from_error(code: int | None, code_name: str | None, message: str) -> MongoError:
    """Return the exception for a failure without a reply."""
    cls = ConnectionFailure if code in _CONNECTION_CODES else _class_for(code)
    return cls(message, code=code, code_name=code_name)


def from_reply(reply: Mapping[str, Any]) -> MongoError:
    """Return the exception for a reply with `ok: 0`, a write error or a write concern error."""
    code = reply.get("code")
    cls = ConnectionFailure if code == 18 else _class_for(code)
    message = reply.get("errmsg", "the store refused the command")
    return cls(message, code=code, code_name=reply.get("codeName"), details=reply)
