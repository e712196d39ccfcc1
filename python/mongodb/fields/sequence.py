# SPDX-License-Identifier: Apache-2.0
"""A counter kept in the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mongodb.connection import get_connection_handle
from mongodb.fields.base_field import BaseField

__all__ = ["SequenceField"]


class SequenceField(BaseField):
    """A number that is one higher with each new document, even across processes."""

    kind = "python"
    _auto_gen = True
    COLLECTION_NAME = "mongoengine.counters"
    VALUE_DECORATOR: Callable[[Any], Any] = int

    def __init__(
        self,
        collection_name: str | None = None,
        db_alias: str | None = None,
        sequence_name: str | None = None,
        value_decorator: Callable[[Any], Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.collection_name = collection_name or self.COLLECTION_NAME
        self.db_alias = db_alias
        self.sequence_name = sequence_name
        self.value_decorator = value_decorator or type(self).VALUE_DECORATOR
        super().__init__(*args, **kwargs)

    def get_sequence_name(self) -> str:
        """Return the counter's name: the given one, or that of the collection or the class."""
        if self.sequence_name:
            return self.sequence_name
        owner = self._declared_in or self.owner_document
        if not owner._schema_embedded and not owner._abstract:
            return str(owner._get_collection_name())
        snake = "".join(f"_{c}" if c.isupper() else c for c in owner._class_name)
        return snake.strip("_").lower()

    def _key(self) -> str:
        return f"{self.get_sequence_name()}.{self.name}"

    def _modify(self, update: dict[str, Any]) -> int:
        alias = self.db_alias or self.owner_document._meta.get("db_alias", "default")
        reply = get_connection_handle(alias).find_and_modify(
            {
                "findAndModify": self.collection_name,
                "query": {"_id": self._key()},
                "update": update,
                "new": True,
                "upsert": True,
            }
        )
        return reply["value"]["next"]  # type: ignore[no-any-return]

    def generate(self) -> Any:
        """Count up and return the new value."""
        return self.value_decorator(self._modify({"$inc": {"next": 1}}))

    def set_next_value(self, value: int) -> Any:
        """Set the counter; the next document gets `value + 1`."""
        return self.value_decorator(self._modify({"$set": {"next": value}}))

    def get_next_value(self) -> Any:
        """Return what the next document would get, without counting."""
        alias = self.db_alias or self.owner_document._meta.get("db_alias", "default")
        reply = get_connection_handle(alias).run(
            {"find": self.collection_name, "filter": {"_id": self._key()}, "limit": 1}
        )
        found = reply["cursor"]["firstBatch"]
        return self.value_decorator(found[0]["next"] + 1 if found else 1)

    def to_python(self, value: Any) -> Any:
        return value if value is None else self.value_decorator(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return value if value is None else self.value_decorator(value)
