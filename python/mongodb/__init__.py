# SPDX-License-Identifier: Apache-2.0
"""MongoDB for Django and Django REST Framework: documents, queries, connections."""

import os

# libmongoc makes a file of counters for each process, and warns where a killed one left it behind.
if "MONGOC_DISABLE_SHM" not in os.environ:
    os.environ["MONGOC_DISABLE_SHM"] = "1"

from mongodb import fields, signals
from mongodb._registry import get_document
from mongodb.connection import (
    DEFAULT_CONNECTION_NAME,
    DEFAULT_DATABASE_NAME,
    connect,
    disconnect,
    disconnect_all,
    get_connection,
    get_db,
    register_connection,
)
from mongodb.context_managers import (
    atomic,
    no_dereference,
    no_sub_classes,
    query_counter,
    run_in_transaction,
    switch_collection,
    switch_db,
)
from mongodb.document import Document, DynamicDocument
from mongodb.embedded import DynamicEmbeddedDocument, EmbeddedDocument
from mongodb.errors import (
    NON_FIELD_ERRORS,
    BulkWriteError,
    ConnectionFailure,
    DeprecatedError,
    DoesNotExist,
    FieldDoesNotExist,
    InvalidCollectionError,
    InvalidDocumentError,
    InvalidQueryError,
    LookUpError,
    MongoError,
    MultipleObjectsReturned,
    NotRegistered,
    NotSupportedError,
    NotUniqueError,
    OperationError,
    ProtectedError,
    SaveConditionError,
    StaleDocumentError,
    ValidationError,
)
from mongodb.fields import *  # noqa: F403
from mongodb.fields.references import CASCADE, DENY, DO_NOTHING, NULLIFY, PULL
from mongodb.queryset import (
    Avg,
    Count,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    QuerySetManager,
    QuerySetNoCache,
    Sum,
    queryset_manager,
)

__version__ = "0.1.0"

__all__ = [
    "CASCADE",
    "DEFAULT_CONNECTION_NAME",
    "DEFAULT_DATABASE_NAME",
    "DENY",
    "DO_NOTHING",
    "NON_FIELD_ERRORS",
    "NULLIFY",
    "PULL",
    "Avg",
    "BulkWriteError",
    "ConnectionFailure",
    "Count",
    "DeprecatedError",
    "Document",
    "DoesNotExist",
    "F",
    "DynamicDocument",
    "DynamicEmbeddedDocument",
    "EmbeddedDocument",
    "FieldDoesNotExist",
    "InvalidCollectionError",
    "InvalidDocumentError",
    "InvalidQueryError",
    "LookUpError",
    "Max",
    "Min",
    "MongoError",
    "MultipleObjectsReturned",
    "NotRegistered",
    "NotSupportedError",
    "NotUniqueError",
    "OperationError",
    "ProtectedError",
    "Q",
    "QuerySet",
    "QuerySetManager",
    "QuerySetNoCache",
    "SaveConditionError",
    "StaleDocumentError",
    "Sum",
    "ValidationError",
    "atomic",
    "connect",
    "disconnect",
    "disconnect_all",
    "fields",
    "get_connection",
    "get_db",
    "get_document",
    "no_dereference",
    "no_sub_classes",
    "query_counter",
    "queryset_manager",
    "register_connection",
    "run_in_transaction",
    "signals",
    "switch_collection",
    "switch_db",
]
__all__ += fields.__all__
