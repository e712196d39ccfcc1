# SPDX-License-Identifier: Apache-2.0
"""Text search: the condition, and how well each document fits it."""

from __future__ import annotations

from typing import Any

import bson

__all__ = ["SCORE", "TextSearchMixin", "take_scores"]

SCORE = "_text_score"  # where the store is asked to put it, as MongoEngine does


class TextSearchMixin:
    """search_text of querysets."""

    _special: Any
    _scored = False

    def search_text(self: Any, text: str, language: str | None = None,
                    text_score: bool = True) -> Any:  # fmt: skip
        """Keep documents whose text index matches; `order_by("$text_score")` has the best first.

        With `text_score`, `get_text_score()` of the documents tells how well each matches.
        """
        search: dict[str, Any] = {"$search": text}
        if language is not None:
            search["$language"] = language
        return self._with(_special={**self._special, "$text": search}, _scored=text_score)

    def _with_score(self, projection: dict[str, Any]) -> dict[str, Any]:
        return {**projection, SCORE: {"$meta": "textScore"}} if self._scored else projection


def take_scores(documents: list[Any]) -> None:
    """Move the score out of what the documents take for stored."""
    for one in documents:
        son = bson.decode(one._stored())
        if SCORE in son:
            score, mask = son.pop(SCORE), one._mask
            one._load(bson.encode(son), trusted=True)
            one._mask = mask
            one.__dict__[SCORE] = score
