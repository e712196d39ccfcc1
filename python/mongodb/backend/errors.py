# SPDX-License-Identifier: Apache-2.0
"""The errors of Python's database interface (PEP 249), and the store's errors as those."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mongodb.errors import ConnectionFailure, MongoError

__all__ = [
    "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError",
    "NotSupportedError", "OperationalError", "ProgrammingError", "Warning", "translate",
]  # fmt: skip


class Warning(Exception):
    """Something to know."""


class Error(Exception):
    """The root of this module's errors."""


class InterfaceError(Error):
    """A closed connection or cursor was used."""


class DatabaseError(Error):
    """The store refused."""


class DataError(DatabaseError):
    """A value out of range."""


class OperationalError(DatabaseError):
    """Not the program's fault: the connection, a conflict, the disk."""


class IntegrityError(DatabaseError):
    """A unique index, a reference or a check forbids it."""


class InternalError(DatabaseError):
    """The store's own fault."""


class ProgrammingError(DatabaseError):
    """A statement that cannot be understood."""


class NotSupportedError(DatabaseError):
    """A feature that the store does not have."""


_PROGRAMMING = frozenset({9, 14, 26, 40324})
_CONFLICT = frozenset({24, 50, 112})


def translate(error: MongoError, checks: Sequence[str] = ()) -> Error:
    """Return this module's error for the store's; `n` is how many rows were written before it."""
    out = _translated(error, str(error), checks)
    out.n = error.details.get("n", 0)  # type: ignore[attr-defined]
    return out


def _translated(error: MongoError, message: str, checks: Sequence[str]) -> Error:
    if isinstance(error, ConnectionFailure):
        return OperationalError(message)
    if error.code in (11000, 11001):
        pattern = error.details.get("keyPattern") or {}
        keys = ", ".join(key for key in pattern if not key.startswith("__us."))
        out: Error = IntegrityError(f"UNIQUE constraint failed: {keys} ({message})")
    elif error.code == 121:
        too_long = _too_long(error.details)
        if too_long:
            out = DataError(f"value too long for {', '.join(too_long)} ({message})")
        else:
            out = IntegrityError(_validation(message, error.details, checks))
    elif error.code in _CONFLICT:
        out = OperationalError(message)
    elif error.code in (115, 238):
        out = NotSupportedError(message)
    elif error.code in _PROGRAMMING:
        out = ProgrammingError(message)
    elif error.code == 2 and "out of range" in message:
        out = DataError(message)
    else:
        out = DatabaseError(message)
    return out


def _refused(details: Any) -> list[Any]:
    """What a validator's parts say of the document."""
    told = (details.get("errInfo") or {}).get("details") or {}
    return [told, *(clause["details"] for clause in told.get("clausesNotSatisfied", ()))]


def _too_long(details: Any) -> list[str]:
    """The fields whose text is longer than it may be."""
    return [
        one.get("propertyName", "?")
        for part in _refused(details)
        for rule in part.get("schemaRulesNotSatisfied", ())
        for one in rule.get("propertiesNotSatisfied", ())
        if any(why.get("operatorName") == "maxLength" for why in one.get("details", ()))
    ]


def _inside(told: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what a schema says of a property, with the path to what within it is wrong."""
    for why in told:
        if why.get("operatorName") == "items":
            yield from _inside(why.get("details", ()), f"{path}.{why.get('itemIndex', '?')}")
        elif "propertiesNotSatisfied" in why:
            for one in why["propertiesNotSatisfied"]:
                inner = f"{path}.{one.get('propertyName', '?')}"
                yield from _inside(one.get("details", ()), inner)
        elif why.get("missingProperties"):
            yield from ((f"{path}.{name}", {}) for name in why["missingProperties"])
        else:
            yield path, why


def _reason(path: str, why: Any) -> str | None:
    """Say which type a property should have and which it has, or where it begins."""
    wanted = why.get("specifiedAs") or {}
    if why.get("operatorName") == "bsonType" and wanted.get("bsonType"):
        types = wanted["bsonType"]
        types = [types] if isinstance(types, str) else types
        return f"{path} must be {' or '.join(types)}, is {why.get('consideredType', '?')}"
    if why.get("operatorName") == "minimum":
        return f"{path} must be at least {wanted.get('minimum')}, is {why.get('consideredValue')}"
    return None


def _validation(message: str, details: Any, checks: Sequence[str]) -> str:
    """Say what a validator refused; `checks` are the names of its checks in their order."""
    columns: list[str] = []
    names: list[str] = []
    reasons: list[str] = []
    for one in _refused(details):
        for rule in one.get("schemaRulesNotSatisfied", ()):
            columns += rule.get("missingProperties", ())
            for told in rule.get("propertiesNotSatisfied", ()):
                column = told.get("propertyName", "?")
                found = list(_inside(told.get("details", ()), column)) or [(column, {})]
                columns += dict.fromkeys(path for path, _ in found)
                reasons += filter(None, (_reason(path, why) for path, why in found))
        if one.get("operatorName") == "$nor":
            clauses = one.get("clausesSatisfied") or one.get("clausesNotSatisfied") or ()
            names += [checks[c["index"]] for c in clauses if c["index"] < len(checks)]
    if names:
        return f"CHECK constraint failed: {', '.join(names)} ({message})"
    listed = f": {', '.join(columns)}" if columns else ""
    message = ": ".join([message, ", ".join(reasons)]) if reasons else message
    return f"NOT NULL or CHECK constraint failed{listed} ({message})"
