# SPDX-License-Identifier: Apache-2.0
"""What MongoEngine keeps in its base package."""

from __future__ import annotations

from mongodb.compat.mongoengine._beside import beside
from mongodb.compat.mongoengine.base.common import (
    UPDATE_OPERATORS,
    _document_registry,
    _DocumentRegistry,
    get_document,
)
from mongodb.compat.mongoengine.base.datastructures import (
    BaseDict,
    BaseList,
    EmbeddedDocumentList,
    LazyReference,
    StrictDict,
)
from mongodb.compat.mongoengine.base.document import BaseDocument
from mongodb.compat.mongoengine.base.fields import (
    BaseField,
    ComplexBaseField,
    GeoJsonBaseField,
    ObjectIdField,
)
from mongodb.compat.mongoengine.base.metaclasses import (
    DocumentMetaclass,
    TopLevelDocumentMetaclass,
)

__all__ = [
    "UPDATE_OPERATORS",
    "BaseDict",
    "BaseDocument",
    "BaseField",
    "BaseList",
    "ComplexBaseField",
    "DocumentMetaclass",
    "EmbeddedDocumentList",
    "GeoJsonBaseField",
    "LazyReference",
    "ObjectIdField",
    "StrictDict",
    "TopLevelDocumentMetaclass",
    "_DocumentRegistry",
    "_document_registry",
    "get_document",
]


__getattr__ = beside(__name__)
