# SPDX-License-Identifier: Apache-2.0
"""What lookups and updates know of `Q` and `F`: below them, so that both may import it."""

from typing import Any

__all__ = ["Condition", "Expression"]


class Condition:
    """A filter that is made for a class of documents."""

    def to_bson(self, document: Any) -> Any:
        """Return the filter as `_core.Raw`; `document` is the class whose fields it names."""
        raise NotImplementedError


class Expression:
    """A value that the store computes."""

    def to_expression(self, document: Any) -> Any:
        """Return the aggregation expression; `document` is the class whose fields it names."""
        raise NotImplementedError
