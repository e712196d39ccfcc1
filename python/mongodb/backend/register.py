# SPDX-License-Identifier: Apache-2.0
"""What this backend changes in Django itself, once, when it is loaded: JSONField reads documents as
they are, where other databases give text."""

from __future__ import annotations

from typing import Any

from django.db.models import JSONField

__all__ = ["register"]

_from_text = JSONField.from_db_value


def _from_db_value(self: Any, value: Any, expression: Any, connection: Any) -> Any:
    if connection.vendor != "mongodb":
        return _from_text(self, value, expression, connection)
    if self.decoder is None or value is None:
        return value
    import json

    return json.loads(json.dumps(value), cls=self.decoder)


def register() -> None:
    """Install the changes; a second call does nothing."""
    JSONField.from_db_value = _from_db_value  # type: ignore[method-assign]
