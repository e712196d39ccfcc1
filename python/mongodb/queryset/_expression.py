# SPDX-License-Identifier: Apache-2.0
"""What lookups and updates know of `F` and its arithmetic: below them, so that both may import."""

from typing import Any

__all__ = ["Expression"]


class Expression:
    """A value that the store computes."""

    def to_expression(self, document: Any) -> Any:
        """Return the aggregation expression; `document` is the class whose fields it names."""
        raise NotImplementedError
