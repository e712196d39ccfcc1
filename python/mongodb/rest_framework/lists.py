# SPDX-License-Identifier: Apache-2.0
"""Lists of documents: written to JSON in C if the renderer takes it, serialized if looked at."""

from collections.abc import Callable, Iterator, MutableSequence
from typing import Any

from rest_framework import serializers
from rest_framework.utils.serializer_helpers import ReturnList

from mongodb.queryset import QuerySet

from .plan import plan_of

__all__ = ["DocumentList", "DocumentListSerializer"]


class DocumentList(MutableSequence[Any]):
    """What `serializer.data` is for a renderer that takes bytes: a list that is made when somebody
    reads or changes it. Until then `json()` writes the documents in C."""

    def __init__(
        self, serializer: Any, write: Callable[[], bytes], build: Callable[[], list[Any]]
    ) -> None:
        self.serializer = serializer
        self._write = write
        self._build = build
        self._items: list[Any] | None = None

    def json(self) -> bytes | None:
        """The JSON text, or None when the list was looked at and may have been changed."""
        return self._write() if self._items is None else None

    def tolist(self) -> list[Any]:
        if self._items is None:
            self._items = self._build()
        return self._items

    def __getitem__(self, at: Any) -> Any:
        return self.tolist()[at]

    def __setitem__(self, at: Any, value: Any) -> None:
        self.tolist()[at] = value

    def __delitem__(self, at: Any) -> None:
        del self.tolist()[at]

    def __len__(self) -> int:
        return len(self.tolist())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def insert(self, at: int, value: Any) -> None:
        self.tolist().insert(at, value)

    def __add__(self, other: Any) -> list[Any]:
        return self.tolist() + list(other)

    def __radd__(self, other: Any) -> list[Any]:
        return list(other) + self.tolist()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DocumentList):
            other = other.tolist()
        return self.tolist() == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.tolist())


class DocumentListSerializer(serializers.ListSerializer):
    """Many documents. `data` goes from BSON to JSON in C when the accepted renderer takes that."""

    def to_representation(self, data: Any) -> Any:
        # A queryset kept on a view's class must not answer from an earlier request's results.
        return super().to_representation(data.all() if isinstance(data, QuerySet) else data)

    @property
    def data(self) -> Any:
        if hasattr(self, "_data") or not self.writes_json():
            return super().data
        plan = plan_of(self.child)
        if plan is None:
            return super().data
        documents = self.instance.all() if isinstance(self.instance, QuerySet) else self.instance
        documents = list(documents)
        self._data = DocumentList(
            self,
            lambda: plan.write(self.child, documents),
            lambda: ReturnList(
                super(DocumentListSerializer, self).to_representation(documents), serializer=self
            ),
        )
        return self._data

    def writes_json(self) -> bool:
        """Whether this is the answer of a request whose renderer takes documents written in C."""
        if self.parent is not None or self.instance is None or hasattr(self, "initial_data"):
            return False
        request = self.context.get("request")
        renderer = getattr(request, "accepted_renderer", None)
        return bool(getattr(renderer, "takes_document_lists", False))
