# SPDX-License-Identifier: Apache-2.0
"""A number that tells whether somebody else changed a document."""

from __future__ import annotations

from typing import Any

from mongodb.fields.scalar import LongField

__all__ = ["VersionField"]


class VersionField(LongField):
    """Counts the saves of a document, from 1 on; `save()` changes only the version it has read.

    A document that was changed since raises StaleDocumentError and is left as it is. Assigning the
    number says which version is meant, as a client of an API does that sends the one it saw.
    Updates by querysets neither look at it nor count.
    """

    def __init__(self, **kwargs: Any) -> None:
        for option in ("default", "required", "primary_key", "unique", "choices", "null"):
            if kwargs.get(option):
                raise TypeError(f"a VersionField takes no {option}: save() sets it")
        super().__init__(**kwargs)
