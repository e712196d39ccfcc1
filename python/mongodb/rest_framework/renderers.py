# SPDX-License-Identifier: Apache-2.0
"""JSON whose lists of documents were written in C."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import renderers
from rest_framework.utils import encoders

from .fields import BSON_TYPES, plain
from .lists import DocumentList

__all__ = ["JSONRenderer"]


class JSONEncoder(encoders.JSONEncoder):
    """DRF's encoder, with BSON's own types."""

    def default(self, obj: Any) -> Any:
        if isinstance(obj, BSON_TYPES):
            return plain(obj)
        return super().default(obj)


class JSONRenderer(renderers.JSONRenderer):
    """DRF's JSONRenderer; a list of documents that nobody touched goes out as the bytes it is."""

    takes_document_lists = True
    encoder_class = JSONEncoder

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if self.get_indent(accepted_media_type or "", dict(renderer_context or {})) is None:
            if isinstance(data, DocumentList):
                written = data.json()
                if written is not None:
                    return written
            elif isinstance(data, dict):
                written = self.splice(data)
                if written is not None:
                    return written
        return super().render(data, accepted_media_type, renderer_context)

    def splice(self, data: dict[Any, Any]) -> bytes | None:
        """A page: its own few fields, and the list as it is. None without such a list."""
        lists = {
            key: value.json() for key, value in data.items() if isinstance(value, DocumentList)
        }
        if not lists or any(value is None for value in lists.values()):
            return None
        if not all(isinstance(key, str) for key in data):
            return None
        comma, colon = (b",", b":") if self.compact else (b", ", b": ")
        parts = []
        for key, value in data.items():
            written = lists.get(key)
            if written is None:
                written = b"null" if value is None else super().render(value)
            parts.append(self.text(key) + colon + written)
        return b"{" + comma.join(parts) + b"}"

    def text(self, value: str) -> bytes:
        return json.dumps(value, ensure_ascii=self.ensure_ascii).encode()
