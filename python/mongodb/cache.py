# SPDX-License-Identifier: Apache-2.0
"""Django's cache as documents: `"BACKEND": "mongodb.cache.DocumentCache"`.

LOCATION names the collection ("cache"), OPTIONS["DB_ALIAS"] the connection ("default"). Each
operation is one command, so that those of several processes do not mix; whole numbers are stored
as such and incr() adds in the store. The store removes what is over by itself, too.
"""

from __future__ import annotations

import datetime
import pickle
from collections.abc import Iterable, Mapping
from typing import Any

from bson import Int64
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache
from django.core.exceptions import ImproperlyConfigured

from mongodb.connection import DEFAULT_CONNECTION_NAME, get_connection_handle
from mongodb.errors import OperationError
from mongodb.fields.dates import utc_now

__all__ = ["DocumentCache"]

_NUMBERS = range(-(2**63), 2**63)


class DocumentCache(BaseCache):
    """One document for each key: `v` is the value, `e` when it is over."""

    pickle_protocol = pickle.HIGHEST_PROTOCOL

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        options = params.get("OPTIONS", {})
        known = {"MAX_ENTRIES", "CULL_FREQUENCY", "DB_ALIAS"}
        if options.keys() - known:
            raise ImproperlyConfigured(
                f"CACHES: DocumentCache has no option {', '.join(sorted(options.keys() - known))}; "
                f"it takes {', '.join(sorted(known))}"
            )
        super().__init__(params)
        self._collection = location or "cache"
        self._alias = options.get("DB_ALIAS", DEFAULT_CONNECTION_NAME)

    # What is stored

    def _handle(self) -> Any:
        handle = get_connection_handle(self._alias)
        key = (type(self), self._collection)
        if key not in handle.ready:
            handle.create_indexes(
                self._collection, [{"key": {"e": 1}, "name": "e_1", "expireAfterSeconds": 0}]
            )
            handle.ready.add(key)
        return handle

    def _entry(self, key: str, value: Any, timeout: Any) -> dict[str, Any]:
        entry = {"_id": key, "v": self._packed(value)}
        ends = self._ends(timeout)
        return entry if ends is None else {**entry, "e": ends}

    def _packed(self, value: Any) -> Any:
        if type(value) is int and value in _NUMBERS:
            return Int64(value)
        return pickle.dumps(value, self.pickle_protocol)

    def _ends(self, timeout: Any) -> datetime.datetime | None:
        ends = self.get_backend_timeout(timeout)
        if ends is None:
            return None
        last = datetime.datetime(9999, 1, 1).timestamp()
        moment = datetime.datetime.fromtimestamp(max(0, min(ends, last)), datetime.UTC)
        return moment.replace(tzinfo=None)

    def _live(self, key: Any) -> dict[str, Any]:
        """Return the filter for a key, or several, whose time is not over."""
        return {"_id": key, "$or": [{"e": {"$exists": False}}, {"e": {"$gt": utc_now()}}]}

    def _found(self, query: dict[str, Any]) -> dict[str, Any]:
        cursor = self._handle().cursor({"find": self._collection, "filter": query})
        with cursor:
            return {one["_id"]: _unpacked(one["v"]) for one in cursor}

    # The cache

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> bool:
        """Set the value unless the key has one. Tell whether it was set."""
        key = self.make_and_validate_key(key, version=version)
        now = utc_now()
        over = {"$and": [{"$eq": [{"$type": "$e"}, "date"]}, {"$lte": ["$e", now]}]}
        free = {"$or": [{"$eq": [{"$type": "$v"}, "missing"]}, over]}
        entry = {"$literal": self._entry(key, value, timeout)}
        reply = self._handle().find_and_modify({
            "findAndModify": self._collection, "query": {"_id": key}, "upsert": True,
            "update": [{"$replaceWith": {"$cond": [free, entry, "$$ROOT"]}}], "fields": {"e": 1},
        })  # fmt: skip
        before = reply.get("value")
        added = before is None or ("e" in before and before["e"] <= now)
        if added:
            self._cull()
        return added

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """Return the value or the default."""
        key = self.make_and_validate_key(key, version=version)
        return self._found(self._live(key)).get(key, default)

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        """Return the values that there are, in one query."""
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        found = self._found(self._live({"$in": list(names)}))
        return {names[key]: value for key, value in found.items()}

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> None:
        """Set the value."""
        self.set_many({key: value}, timeout, version)

    def set_many(
        self, data: Mapping[Any, Any], timeout: Any = DEFAULT_TIMEOUT, version: Any = None
    ) -> list[Any]:
        """Set the values in one command."""
        updates = []
        for name, value in data.items():
            key = self.make_and_validate_key(name, version=version)
            entry = self._entry(key, value, timeout)
            updates.append({"q": {"_id": key}, "u": entry, "upsert": True})
        if updates:
            self._handle().bulk_update(self._collection, updates)
            self._cull()
        return []

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """Give the value a new time. Tell whether there is one."""
        key = self.make_and_validate_key(key, version=version)
        ends = self._ends(timeout)
        change = {"$unset": {"e": 1}} if ends is None else {"$set": {"e": ends}}
        reply = self._handle().update(self._collection, {"q": self._live(key), "u": change})
        return bool(reply["n"])

    def delete(self, key: Any, version: Any = None) -> bool:
        """Remove the value. Tell whether there was one."""
        key = self.make_and_validate_key(key, version=version)
        handle = self._handle()
        live = bool(handle.delete(self._collection, self._live(key), 1))
        if not live:
            handle.delete(self._collection, {"_id": key, "e": {"$lte": utc_now()}}, 1)
        return live

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        """Remove the values in one command."""
        names = [self.make_and_validate_key(key, version=version) for key in keys]
        self._handle().delete(self._collection, {"_id": {"$in": names}}, 0)

    def has_key(self, key: Any, version: Any = None) -> bool:
        """Tell whether there is a value."""
        key = self.make_and_validate_key(key, version=version)
        return bool(self._handle().count(self._collection, self._live(key)))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Add to a number in one step and return it; its time stays. ValueError without one."""
        name = self.make_and_validate_key(key, version=version)
        if type(delta) is int and delta in _NUMBERS:
            command = {
                "findAndModify": self._collection, "new": True, "fields": {"v": 1},
                "query": {**self._live(name), "v": {"$type": "long"}},
                "update": {"$inc": {"v": Int64(delta)}},
            }  # fmt: skip
            try:
                found = self._handle().find_and_modify(command).get("value")
            except OperationError as error:
                if error.code != 2:  # BadValue: it does not fit 64 bits any more
                    raise
                found = None
            if found is not None:
                return int(found["v"])
        return self._incr_other(key, name, delta)

    def _incr_other(self, key: Any, name: str, delta: Any) -> Any:
        """Add to a number that is stored as Python has it, unless somebody changes it meanwhile."""
        while True:
            cursor = self._handle().cursor({"find": self._collection, "filter": self._live(name)})
            with cursor:
                found = next(iter(cursor), None)
            if found is None:
                raise ValueError(f"Key '{key}' not found")
            value = _unpacked(found["v"]) + delta
            change = {
                "q": {"_id": name, "v": found["v"]},
                "u": {"$set": {"v": self._packed(value)}},
            }
            if self._handle().update(self._collection, change)["n"]:
                return value

    def clear(self) -> None:
        """Remove everything."""
        self._handle().delete(self._collection, {}, 0)

    def _cull(self) -> None:
        """Make room: drop what is over, then a part of the rest, the first keys."""
        handle = self._handle()
        if handle.count(self._collection, {}) <= self._max_entries:
            return
        handle.delete(self._collection, {"e": {"$lte": utc_now()}}, 0)
        many = handle.count(self._collection, {})
        if many <= self._max_entries:
            return
        if self._cull_frequency == 0:
            self.clear()
            return
        first = {"find": self._collection, "projection": {"_id": 1}, "sort": {"_id": 1},
                 "limit": many // self._cull_frequency}  # fmt: skip
        if first["limit"]:
            with handle.cursor(first) as cursor:
                keys = [one["_id"] for one in cursor]
            handle.delete(self._collection, {"_id": {"$in": keys}}, 0)


def _unpacked(value: Any) -> Any:
    return pickle.loads(value) if isinstance(value, bytes) else int(value)
