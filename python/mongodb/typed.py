# SPDX-License-Identifier: Apache-2.0
"""Documents of which type checkers check the constructor too.

    from mongodb import IntField, StringField, typed

    class Account(typed.Document):
        owner: StringField[str] = StringField(required=True)
        limit: IntField = IntField()

    Account(ower="Ada")  # mypy and Pyright: no such argument

Type checkers look at annotated names alone there (PEP 681), so each field is written with its
class; a name without annotation is a field as everywhere, which they do not know as an argument.
The classes behave as those of `mongodb` of the same names do.
"""

from typing import Any, ClassVar, dataclass_transform

import mongodb.document
import mongodb.embedded

__all__ = ["Document", "EmbeddedDocument"]


@dataclass_transform(kw_only_default=True, eq_default=False)
class Document(mongodb.document.Document):
    """A document of a collection."""

    meta: ClassVar[Any] = {"abstract": True}


@dataclass_transform(kw_only_default=True, eq_default=False)
class EmbeddedDocument(mongodb.embedded.EmbeddedDocument):
    """A document inside another."""

    meta: ClassVar[Any] = {"abstract": True}
