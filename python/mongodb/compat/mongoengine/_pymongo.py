# SPDX-License-Identifier: Apache-2.0
"""Errors that are PyMongo's, too: MongoEngine lets PyMongo's through where it only reads."""

from __future__ import annotations

import functools
from typing import Any

from pymongo import errors as _pymongo

from mongodb.errors import MongoError, NotUniqueError, OperationError

__all__ = ["as_pymongo"]


@functools.cache
def _both(kind: type[MongoError]) -> Any:
    theirs = _pymongo.DuplicateKeyError if issubclass(kind, NotUniqueError) else None
    bases = (kind, theirs or _pymongo.OperationFailure)
    return type(kind.__name__, bases, {"__module__": kind.__module__, "__reduce__": _reduced})


def _reduced(error: Any) -> Any:
    return _restored, (type(error).__mro__[1], str(error), error.code, dict(error.details))


def _restored(kind: Any, message: str, code: Any, details: Any) -> Any:
    return as_pymongo(kind(message, code=code, details=details))


def as_pymongo(error: MongoError) -> MongoError:
    """Return an error of the store as one that `except pymongo.errors.OperationFailure` meets."""
    if not isinstance(error, OperationError) or isinstance(error, _pymongo.OperationFailure):
        return error
    cls = _both(type(error))
    made = cls.__new__(cls, *error.args)
    _pymongo.OperationFailure.__init__(made, str(error), error.code, dict(error.details))
    made.args = error.args
    kept = {name: one for name, one in vars(error).items() if name not in ("code", "details")}
    made.__dict__.update(kept)
    return made  # type: ignore[no-any-return]
