# SPDX-License-Identifier: Apache-2.0
"""JSON, written in C."""

import json
from collections.abc import Mapping
from typing import Any

from rest_framework import renderers
from rest_framework.utils import encoders

from mongodb._core import dumps

from .fields import BSON_TYPES, plain

__all__ = ["JSONEncoder", "JSONRenderer"]


class JSONEncoder(encoders.JSONEncoder):
    """DRF's encoder, with those of BSON's own types that it has no answer for."""

    def default(self, obj: Any) -> Any:
        if isinstance(obj, BSON_TYPES):
            return plain(obj)
        return super().default(obj)


class JSONRenderer(renderers.JSONRenderer):
    """DRF's JSONRenderer, faster: lists, dicts and plain values are written in C."""

    encoder_class = JSONEncoder

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        indent = self._indent(accepted_media_type or "", renderer_context or {})
        if data is not None and indent is None and is_plain(self.encoder_class):
            written = dumps(
                data,
                self.encode,
                ensure_ascii=bool(self.ensure_ascii),
                compact=bool(self.compact),
                allow_nan=not self.strict,
            )
            if written is not None:
                return written
        return super().render(data, accepted_media_type, renderer_context)

    def _indent(self, media_type: str, context: Mapping[str, Any]) -> int | None:
        """What get_indent() says; a media type without parameters says nothing of it."""
        own = type(self).get_indent is not renderers.JSONRenderer.get_indent
        if own or ";" in media_type or "get_indent" in self.__dict__:
            return self.get_indent(media_type, dict(context))
        return context.get("indent")

    def encode(self, value: Any) -> str:
        """The JSON of a value that is not plain."""
        return json.dumps(
            value,
            cls=self.encoder_class,
            ensure_ascii=self.ensure_ascii,
            allow_nan=not self.strict,
            separators=(",", ":") if self.compact else (", ", ": "),
        )


def is_plain(cls: Any) -> bool:
    """Whether an encoder only says how other types become plain ones."""
    names = ("__init__", "encode", "iterencode")
    return all(getattr(cls, name, None) is getattr(json.JSONEncoder, name) for name in names)
