# SPDX-License-Identifier: Apache-2.0
"""The fields of documents."""

from mongodb.fields.base_field import BaseField
from mongodb.fields.cached import CachedReferenceField
from mongodb.fields.dates import ComplexDateTimeField, DateField, DateTimeField
from mongodb.fields.files import (
    FileField,
    GridFSError,
    GridFSProxy,
    ImageField,
    ImageGridFsProxy,
    ImproperlyConfigured,
)
from mongodb.fields.generic import GenericLazyReferenceField, GenericReferenceField
from mongodb.fields.geo import (
    GeoJsonBaseField,
    GeoPointField,
    LineStringField,
    MultiLineStringField,
    MultiPointField,
    MultiPolygonField,
    PointField,
    PolygonField,
)
from mongodb.fields.lazy import LazyReference, LazyReferenceField
from mongodb.fields.lists import EmbeddedDocumentList
from mongodb.fields.nested import (
    DictField,
    DynamicField,
    EmbeddedDocumentField,
    EmbeddedDocumentListField,
    GenericEmbeddedDocumentField,
    ListField,
    MapField,
    SortedListField,
)
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL, ReferenceField
from mongodb.fields.scalar import (
    BinaryField,
    BooleanField,
    Decimal128Field,
    DecimalField,
    EmailField,
    EnumField,
    FloatField,
    IntField,
    LongField,
    ObjectIdField,
    StringField,
    URLField,
    UUIDField,
)
from mongodb.fields.sequence import SequenceField
from mongodb.fields.version import VersionField

__all__ = [
    "CASCADE",
    "DENY",
    "DO_NOTHING",
    "NULLIFY",
    "PULL",
    "BaseField",
    "BinaryField",
    "BooleanField",
    "CachedReferenceField",
    "ComplexDateTimeField",
    "DateField",
    "DateTimeField",
    "Decimal128Field",
    "DecimalField",
    "DictField",
    "DynamicField",
    "EmailField",
    "EmbeddedDocumentField",
    "EmbeddedDocumentList",
    "EmbeddedDocumentListField",
    "EnumField",
    "FileField",
    "FloatField",
    "GenericEmbeddedDocumentField",
    "GenericLazyReferenceField",
    "GenericReferenceField",
    "GeoJsonBaseField",
    "GeoPointField",
    "GridFSError",
    "GridFSProxy",
    "ImageField",
    "ImageGridFsProxy",
    "ImproperlyConfigured",
    "IntField",
    "LazyReference",
    "LazyReferenceField",
    "LineStringField",
    "ListField",
    "LongField",
    "MapField",
    "MultiLineStringField",
    "MultiPointField",
    "MultiPolygonField",
    "ObjectIdField",
    "PointField",
    "PolygonField",
    "ReferenceField",
    "SequenceField",
    "SortedListField",
    "StringField",
    "URLField",
    "UUIDField",
    "VersionField",
]
