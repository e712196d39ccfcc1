# SPDX-License-Identifier: Apache-2.0
"""Every command with each of its fields given every kind of value, one field nobody knows, and the
fields that all commands share. What mongod answers stands in answers.json (see record.py)."""

import datetime
import re
from collections.abc import Iterator
from typing import Any

import bson
from bson import Binary, Decimal128, Int64

DB = "arguments"
Document = dict[str, Any]

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "false": False,
    "0": 0,
    "1": 1,
    "-1": -1,
    "long": Int64(1),
    "huge": Int64(2**40),
    "1.5": 1.5,
    "1.0": 1.0,
    "-1.0": -1.0,
    "nan": float("nan"),
    "decimal": Decimal128("1"),
    "text": "x",
    "empty text": "",
    "object": {},
    "object x": {"x": 1},
    "array": [],
    "array x": ["x"],
    "array {}": [{}],
    "regex": re.compile("a"),
    "date": datetime.datetime(2024, 1, 1),
    "binary": Binary(b"x"),
    "uuid": Binary(b"0123456789abcdef", 4),
}
SESSION = {"id": Binary(b"arguments-tests!", 4)}

# the fields every command may carry, and values of theirs beside the kinds above
GENERIC: dict[str, list[Any]] = {
    "comment": [],
    "maxTimeMS": [5000, 2**31, Int64(2**31 - 1), 0.0],
    "readConcern": [
        {"level": "local"},
        {"level": "majority"},
        {"level": "available"},
        {"level": "linearizable"},
        {"level": "snapshot"},
        {"level": "bogus"},
        {"level": 1},
        {"level": None},
        {"nope": 1},
        {"level": "local", "nope": 1},
        {"provenance": "clientSupplied"},
        {"provenance": "x"},
        {"level": "local", "atClusterTime": bson.Timestamp(1, 1)},
        {"level": "snapshot", "atClusterTime": bson.Timestamp(0, 0)},
        {"level": "snapshot", "atClusterTime": 1},
        {"level": "local", "afterClusterTime": bson.Timestamp(1, 1)},
        {"afterClusterTime": bson.Timestamp(0, 0)},
        {"afterClusterTime": bson.Timestamp(1, 1)},
        {"afterClusterTime": 1},
        {"level": "linearizable", "afterClusterTime": bson.Timestamp(1, 1)},
        {
            "level": "snapshot",
            "atClusterTime": bson.Timestamp(1, 1),
            "afterClusterTime": bson.Timestamp(1, 1),
        },
    ],
    "writeConcern": [
        {"w": 0},
        {"w": 1},
        {"w": 1.0},
        {"w": 1.5},
        {"w": 2, "wtimeout": 50},
        {"w": 50},
        {"w": 51},
        {"w": -1},
        {"w": "majority"},
        {"w": "bogus"},
        {"w": ""},
        {"w": None},
        {"w": True},
        {"w": []},
        {"w": {}},
        {"w": {"dc": 1}},
        {"w": {"dc": "x"}},
        {"w": 1, "wtimeout": 0},
        {"w": 1, "wtimeout": -1},
        {"w": 1, "wtimeout": 1.5},
        {"w": 1, "wtimeout": "x"},
        {"w": 1, "wtimeout": None},
        {"w": 1, "wtimeout": Int64(2**40)},
        {"w": 1, "j": True},
        {"w": 1, "j": False},
        {"w": 0, "j": True},
        {"w": 1, "j": 1},
        {"w": 1, "j": 0.0},
        {"w": 1, "j": "x"},
        {"w": 1, "j": None},
        {"j": True},
        {"fsync": True},
        {"fsync": "x"},
        {"w": 1, "j": True, "fsync": True},
        {"wtimeout": 5},
        {"w": 1, "nope": 1},
        {"w": 1, "wTimeout": 5},
        {"w": 1, "wtimeoutMS": 5},
        {"w": 1, "getLastError": 1},
        {"w": 1, "wElectionId": 1},
        {"w": 1, "wOpTime": 1},
        {"w": 1, "provenance": "clientSupplied"},
        {"w": 1, "provenance": "x"},
        {"w": 1, "provenance": 1},
    ],
    "apiVersion": ["1", "99", 1],
    "apiStrict": [],
    "apiDeprecationErrors": [],
    "$readPreference": [
        {"mode": "primary"},
        {"mode": "secondary"},
        {"mode": "secondaryPreferred"},
        {"mode": "nearest", "tags": [{"dc": "x"}]},
        {"mode": "nearest", "maxStalenessSeconds": 120},
        {"mode": "primary", "maxStalenessSeconds": 120},
        {"mode": "primary", "tags": [{"dc": "x"}]},
        {"mode": "nearest", "maxStalenessSeconds": 1},
        {"mode": "nearest", "maxStalenessSeconds": -5},
        {"mode": "nearest", "maxStalenessSeconds": "x"},
        {"mode": "nearest", "tags": "x"},
        {"mode": "nearest", "hedge": {"enabled": True}},
        {"mode": "nearest", "hedge": {}},
        {"mode": "primary", "hedge": {"enabled": True}},
        {"mode": "primary", "hedge": {"enabled": False}},
        {"mode": "nearest", "hedge": {"nope": 1}},
        {"mode": "nearest", "hedge": 1},
        {"mode": "bogus"},
        {"mode": 1},
        {"mode": "primary", "nope": 1},
        {"nope": 1},
    ],
    "lsid": [
        SESSION,
        {"id": "x"},
        {"id": Binary(b"x", 4)},
        {"id": Binary(b"0123456789abcdef", 0)},
        {**SESSION, "nope": 1},
        {**SESSION, "uid": "x"},
    ],
    "txnNumber": [],
    "autocommit": [],
    "startTransaction": [],
    "$clusterTime": [],
    "allowImplicitCollectionCreation": [],
    "mayBypassWriteBlocking": [],
    "stmtId": [],
    "stmtIds": [[0], [0, 1]],
    "maxTimeMSOpOnly": [],
    "clientOperationKey": [],
    "$configTime": [],
    "$client": [],
    "$oplogQueryData": [],
    "$replData": [],
    "$topologyTime": [],
    "$configServerState": [],
    "coordinator": [],
    "operationSessionInfo": [],
    "readWriteConcern": [],
    "impersonatedUser": [],
}
# the commands that are given all of that; the others a few of each, and nothing of INTERNAL
FULL = ("find", "insert", "aggregate", "ping", "create")
FEW = ("null", "true", "-1", "text", "object", "array", "uuid")
FEW_OWN: dict[str, list[Any]] = {
    "readConcern": [
        {"level": level} for level in ("local", "majority", "snapshot", "linearizable")
    ],
    "writeConcern": [{"w": 0}, {"w": 1}, {"w": 51}, {"w": -1}, {"j": True}, {"nope": 1}],
    "$readPreference": [{"mode": "secondary"}, {"mode": "bogus"}],
    "apiVersion": ["1", "99"],
    "lsid": [SESSION],
}
INTERNAL = {
    "maxTimeMSOpOnly", "clientOperationKey", "$configTime",
    "$client", "$oplogQueryData", "$replData", "$topologyTime",
    "$configServerState", "coordinator", "operationSessionInfo", "readWriteConcern",
    "impersonatedUser", "mayBypassWriteBlocking",
    "allowImplicitCollectionCreation", "stmtId", "stmtIds",
}  # fmt: skip

COLLATION = [{"locale": "simple"}, {"locale": "bogus"}, {"locale": "simple", "nope": 1}, {"x": 1}]
HINT = ["a_1", "nope", {"a": 1}, {"b": 1}, {"$natural": 1}, {"$natural": -1}, {"$natural": 2}]
CURSOR = [{"batchSize": v} for v in (0, 1, -1, 1.5, "x", None, True, Int64(2))] + [{"nope": 1}]

# name: (base command, {field: [values of its own]}); `@` before a name: on the database admin
COMMANDS: dict[str, tuple[Document, dict[str, list[Any]]]] = {
    "find": (
        {"find": "c"},
        {
            "filter": [], "sort": [{"a": 1}, {"a": 0}, {"a": "x"}, {"a": 2}], "projection": [],
            "hint": HINT, "skip": [], "limit": [], "batchSize": [], "singleBatch": [],
            "comment": [], "max": [{"a": 5}], "min": [{"a": 5}], "returnKey": [],
            "showRecordId": [], "tailable": [], "oplogReplay": [], "noCursorTimeout": [],
            "awaitData": [], "allowPartialResults": [], "collation": COLLATION,
            "allowDiskUse": [], "let": [], "ntoreturn": [], "term": [], "readOnce": [],
            "_requestResumeToken": [], "_resumeAfter": [], "allowSpeculativeMajorityRead": [],
            "_legacyRuntimeConstants": [], "$_requestResumeToken": [], "$_resumeAfter": [],
            "maxScan": [], "snapshot": [], "query": [], "options": [], "runtimeConstants": [],
            "exhaust": [],
        },
    ),
    "aggregate": (
        {"aggregate": "c", "pipeline": [], "cursor": {}},
        {
            "pipeline": [[{"$match": {}}], [{"$nope": 1}], [1]], "cursor": CURSOR, "explain": [],
            "allowDiskUse": [], "bypassDocumentValidation": [], "collation": COLLATION,
            "hint": HINT, "let": [], "needsMerge": [], "fromMongos": [], "needsMerge2": [],
            "exchange": [], "runtimeConstants": [], "isMapReduceCommand": [],
            "requestReshardingResumeToken": [], "collectionUUID": [], "legacyRuntimeConstants": [],
            "encryptionInformation": [], "unwrappedReadPref": [],
        },
    ),
    "count": (
        {"count": "c"},
        {
            "query": [], "limit": [], "skip": [], "hint": HINT, "collation": COLLATION,
            "fields": [], "queryOptions": [], "let": [], "encryptionInformation": [],
            "mirrored": [],
        },
    ),
    "distinct": (
        {"distinct": "c", "key": "a"},
        {"key": [], "query": [], "collation": COLLATION, "hint": HINT, "let": []},
    ),
    "insert": (
        {"insert": "c", "documents": [{"a": 1}]},
        {
            "documents": [[1], [{"_id": 0}], []], "ordered": [], "bypassDocumentValidation": [],
            "encryptionInformation": [], "let": [], "isTimeseriesNamespace": [],
            "collectionUUID": [],
        },
    ),
    "update": (
        {"update": "c", "updates": [{"q": {}, "u": {"$set": {"b": 1}}}]},
        {
            "updates": [[1]], "ordered": [], "bypassDocumentValidation": [], "let": [],
            "runtimeConstants": [], "encryptionInformation": [], "legacyRuntimeConstants": [],
        },
    ),
    "update.updates": (
        {"update": "c", "updates": [{"q": {}, "u": {"$set": {"b": 1}}}]},
        {
            "q": [], "u": [{"$set": {"b": 2}}, [{"$set": {"b": 1}}]], "c": [], "multi": [],
            "upsert": [], "arrayFilters": [], "hint": HINT, "collation": COLLATION,
            "upsertSupplied": [], "sort": [], "let": [], "sampleId": [],
        },
    ),
    "delete": (
        {"delete": "c", "deletes": [{"q": {}, "limit": 1}]},
        {
            "deletes": [[1]], "ordered": [], "bypassDocumentValidation": [], "let": [],
            "runtimeConstants": [], "encryptionInformation": [], "legacyRuntimeConstants": [],
        },
    ),
    "delete.deletes": (
        {"delete": "c", "deletes": [{"q": {}, "limit": 1}]},
        {"q": [], "limit": [2], "hint": HINT, "collation": COLLATION, "let": [], "sampleId": []},
    ),
    "findAndModify": (
        {"findAndModify": "c", "update": {"$set": {"b": 1}}},
        {
            "query": [], "sort": [{"a": 1}, {"a": 0}], "remove": [], "update": [], "new": [],
            "fields": [], "upsert": [], "bypassDocumentValidation": [], "collation": COLLATION,
            "arrayFilters": [], "hint": HINT, "let": [], "runtimeConstants": [],
            "legacyRuntimeConstants": [], "projection": [],
        },
    ),
    "getMore": (
        {"getMore": Int64(1), "collection": "c"},
        {
            "getMore": [], "collection": [], "batchSize": [], "term": [],
            "lastKnownCommittedOpTime": [],
        },
    ),
    "killCursors": ({"killCursors": "c", "cursors": [Int64(1)]}, {"cursors": [[1], [Int64(1)]]}),
    "create": (
        {"create": "new"},
        {
            "capped": [], "autoIndexId": [], "idIndex": [{"key": {"_id": 1}, "name": "_id_"}],
            "size": [], "max": [], "storageEngine": [{"wiredTiger": {}}, {"nope": {}}],
            "validator": [], "validationLevel": ["off", "strict", "moderate"],
            "validationAction": ["warn", "error"], "indexOptionDefaults": [], "viewOn": ["c"],
            "pipeline": [], "collation": COLLATION, "changeStreamPreAndPostImages":
            [{"enabled": True}, {"enabled": 1}, {"enabled": False}], "timeseries": [],
            "clusteredIndex": [{"key": {"_id": 1}, "unique": True}], "expireAfterSeconds": [],
            "encryptedFields": [], "temp": [], "flags": [], "recordPreImages": [],
        },
    ),
    "create.capped": (
        {"create": "new", "capped": True, "size": 4096},
        {"size": [], "max": [], "autoIndexId": []},
    ),
    "create.view": (
        {"create": "new", "viewOn": "c", "pipeline": []},
        {"pipeline": [[{"$match": {}}], [{"$nope": 1}]], "capped": [], "validator": []},
    ),
    "collMod": (
        {"collMod": "c"},
        {
            "index": [
                {"name": "a_1", "hidden": True}, {"keyPattern": {"a": 1}, "hidden": False},
                {"name": "nope", "hidden": True}, {"name": "a_1"}, {"hidden": True},
                {"name": "a_1", "nope": 1}, {"name": "a_1", "expireAfterSeconds": 5},
                {"name": "a_1", "unique": True}, {"name": "a_1", "prepareUnique": True},
            ],
            "validator": [], "validationLevel": ["off"], "validationAction": ["warn"],
            "viewOn": ["c"], "pipeline": [], "changeStreamPreAndPostImages": [{"enabled": True}],
            "expireAfterSeconds": [], "cappedSize": [], "cappedMax": [], "timeseries": [],
            "dryRun": [], "recordPreImages": [], "isTimeseriesNamespace": [],
        },
    ),
    "createIndexes": (
        {"createIndexes": "c", "indexes": [{"key": {"b": 1}, "name": "b_1"}]},
        {
            "indexes": [[1]], "commitQuorum": [0, 2, "majority", "votingMembers", "nope"],
            "ignoreUnknownIndexOptions": [], "v": [], "background": [],
        },
    ),
    "listIndexes": (
        {"listIndexes": "c"},
        {"cursor": CURSOR, "includeBuildUUIDs": [], "isTimeseriesNamespace": [],
         "includeIndexBuildInfo": []},
    ),
    "dropIndexes": (
        {"dropIndexes": "c", "index": "a_1"},
        {"index": ["*", "a_1", "_id_", {"a": 1}, {"_id": 1}, ["a_1"], ["_id_"], ["nope"]],
         "isTimeseriesNamespace": []},
    ),
    "listCollections": (
        {"listCollections": 1},
        {
            "filter": [{"name": "c"}], "nameOnly": [], "authorizedCollections": [],
            "cursor": CURSOR, "includePendingDrops": [],
        },
    ),
    "@listDatabases": (
        {"listDatabases": 1}, {"filter": [], "nameOnly": [], "authorizedDatabases": []},
    ),
    "drop": ({"drop": "c"}, {"collectionUUID": []}),
    "dropDatabase": ({"dropDatabase": 1}, {}),
    "@renameCollection": (
        {"renameCollection": f"{DB}.c", "to": f"{DB}.d"},
        {
            "renameCollection": [f"{DB}.nope"], "to": [f"{DB}.c", "nodot"], "dropTarget": [],
            "stayTemp": [], "collectionUUID": [],
        },
    ),
    "collStats": ({"collStats": "c"}, {"scale": [], "waitForLock": [], "verbose": []}),
    "dbStats": ({"dbStats": 1}, {"scale": [], "freeStorage": []}),
    "validate": (
        {"validate": "c"},
        {
            "full": [], "scandata": [], "background": [], "repair": [], "metadata": [],
            "checkBSONConformance": [], "enforceFastCount": [],
        },
    ),
    "planCacheClear": (
        {"planCacheClear": "c", "query": {"a": 1}},
        {
            "planCacheClear": ["nope"], "query": [{"$nope": 1}], "sort": [{"a": 1}],
            "projection": [{"a": 1}], "collation": COLLATION,
        },
    ),
    "convertToCapped": ({"convertToCapped": "c", "size": 4096}, {"size": []}),
    "explain": (
        {"explain": {"find": "c"}},
        {"verbosity": ["queryPlanner", "executionStats", "allPlansExecution"]},
    ),
    "explain.find": ({"explain": {"find": "c", "nope": 1}}, {}),
    "explain.count": ({"explain": {"count": "c", "nope": 1}}, {}),
    "explain.distinct": ({"explain": {"distinct": "c", "key": "a", "nope": 1}}, {}),
    "explain.aggregate": (
        {"explain": {"aggregate": "c", "pipeline": [], "cursor": {}, "nope": 1}}, {},
    ),
    "explain.update": (
        {"explain": {"update": "c", "updates": [{"q": {}, "u": {"a": 1}}], "nope": 1}}, {},
    ),
    "explain.delete": (
        {"explain": {"delete": "c", "deletes": [{"q": {}, "limit": 1}], "nope": 1}}, {},
    ),
    "explain.findAndModify": (
        {"explain": {"findAndModify": "c", "remove": True, "nope": 1}}, {},
    ),
    "ping": ({"ping": 1}, {}),
    "hello": (
        {"hello": 1},
        {
            "topologyVersion": [], "maxAwaitTimeMS": [], "helloOk": [], "saslSupportedMechs": [],
            "forShell": [], "speculativeAuthenticate": [], "compression": [], "client": [],
            "loadBalanced": [], "hostInfo": [], "hangUpOnStepDown": [], "internalClient": [],
        },
    ),
    "isMaster": (
        {"isMaster": 1},
        {"topologyVersion": [], "maxAwaitTimeMS": [], "helloOk": [], "saslSupportedMechs": []},
    ),
    "buildInfo": ({"buildInfo": 1}, {}),
    "hostInfo": ({"hostInfo": 1}, {}),
    "listCommands": ({"listCommands": 1}, {}),
    "features": ({"features": 1}, {"oidReset": [], "oidMachine": []}),
    "whatsmyuri": ({"whatsmyuri": 1}, {}),
    "connectionStatus": ({"connectionStatus": 1}, {"showPrivileges": []}),
    "serverStatus": ({"serverStatus": 1}, {"repl": [], "metrics": [], "nope": []}),
    "@top": ({"top": 1}, {}),
    "@currentOp": ({"currentOp": 1}, {"$all": [], "$ownOps": [], "nope": [], "$truncateOps": []}),
    "@getLog": ({"getLog": "global"}, {"getLog": ["*", "nope", "startupWarnings"]}),
    "@getCmdLineOpts": ({"getCmdLineOpts": 1}, {}),
    "@getParameter": (
        {"getParameter": 1, "ttlMonitorEnabled": 1},
        {"getParameter": ["*", {"showDetails": True}, {"allParameters": True}, {"nope": 1}],
         "ttlMonitorEnabled": [], "featureCompatibilityVersion": []},
    ),
    "@replSetGetStatus": ({"replSetGetStatus": 1}, {"initialSync": []}),
    "rolesInfo": (
        {"rolesInfo": 1},
        {"rolesInfo": [], "showPrivileges": [], "showBuiltinRoles": [],
         "showAuthenticationRestrictions": []},
    ),
    "usersInfo": (
        {"usersInfo": 1},
        {"usersInfo": [], "showPrivileges": [], "showCredentials": [], "showCustomData": [],
         "filter": [], "showAuthenticationRestrictions": []},
    ),
    "startSession": ({"startSession": 1}, {}),
    "endSessions": ({"endSessions": [SESSION]}, {"endSessions": [[{"id": 1}]]}),
    "refreshSessions": ({"refreshSessions": [SESSION]}, {"refreshSessions": [[{"id": 1}]]}),
    "killSessions": ({"killSessions": [SESSION]}, {"killSessions": [[{"id": 1}]]}),
    "killAllSessions": (
        {"killAllSessions": []}, {"killAllSessions": [[{"user": "a", "db": "b"}], [{"user": "a"}]]},
    ),
    "@commitTransaction": ({"commitTransaction": 1}, {"commitTimestamp": [], "recoveryToken": []}),
    "@abortTransaction": ({"abortTransaction": 1}, {"recoveryToken": []}),
}  # fmt: skip

# what an index may be given, each on an ordinary one
INDEX: dict[str, list[Any]] = {
    "name": [], "unique": [], "sparse": [], "hidden": [], "background": [], "v": [0, 2, 3, 2.0],
    "ns": [f"{DB}.c", "other.ns"], "expireAfterSeconds": [Int64(2**31 - 1), Int64(2**31)],
    "partialFilterExpression": [{"a": {"$gt": 1}}, {"a": {"$ne": 1}}],
    "collation": COLLATION, "storageEngine": [{"wiredTiger": {}}, {"nope": {}}],
    "2dsphereIndexVersion": [3], "textIndexVersion": [3], "bits": [26], "min": [], "max": [],
    "bucketSize": [], "weights": [{"a": 1}], "default_language": ["english"],
    "language_override": [], "wildcardProjection": [{"a": 1}], "dropDups": [],
    "prepareUnique": [], "clustered": [], "force": [], "coarsestIndexedLevel": [],
    "finestIndexedLevel": [], "originalSpec": [], "buildUUID": [], "nope": [],
    "constraints": [], "disallowNewDuplicateKeys": [], "columnstoreProjection": [],
}  # fmt: skip
INDEX_BASES: dict[str, Document] = {
    "single": {"key": {"b": 1}, "name": "i"},
    "compound": {"key": {"b": 1, "d": -1}, "name": "i"},
    "hashed": {"key": {"b": "hashed"}, "name": "i"},
    "_id": {"key": {"_id": 1}, "name": "_id_"},
}


def values(own: list[Any]) -> Iterator[tuple[str, Any]]:
    yield from VALUES.items()
    for value in own:
        yield repr(value), value


def few(field: str) -> Iterator[tuple[str, Any]]:
    for label in FEW:
        yield label, VALUES[label]
    for value in FEW_OWN.get(field, []):
        yield repr(value), value


def changes(name: str, fields: dict[str, list[Any]]) -> Iterator[tuple[str, Document]]:
    """What is added to one command, with a name for it."""
    yield "plain", {}
    yield "unknown", {"noSuchField": 1}
    yield "unknown null", {"noSuchField": None}
    for field, own in fields.items():
        # a number as the term of an election makes mongod step down, or stop
        given = ((label, VALUES[label]) for label in ("null", "text", "object", "array"))
        for label, value in given if field == "term" else values(own):
            yield f"{field}: {label}", {field: value}
    if "." in name:
        return
    for field, own in GENERIC.items():
        if field in fields or (name not in FULL and field in INTERNAL):
            continue
        for label, value in values(own) if name in FULL else few(field):
            if field == "maxTimeMS" and label in ("1", "long", "1.0", "decimal"):
                continue  # a millisecond is enough, or is not
            yield f"{field}: {label}", {field: value}


def cases() -> dict[str, list[tuple[str, str, Document]]]:
    """Per command: a name, the database and the command."""
    out: dict[str, list[tuple[str, str, Document]]] = {}
    for name, (base, fields) in COMMANDS.items():
        db = "admin" if name[0] == "@" else DB
        out[name.lstrip("@")] = [
            (label, db, with_fields(name, base, change)) for label, change in changes(name, fields)
        ]
    for kind, spec in INDEX_BASES.items():
        out[f"index.{kind}"] = [
            (f"{field}: {label}", DB, {"createIndexes": "c", "indexes": [{**spec, field: value}]})
            for field, own in INDEX.items()
            for label, value in values(own)
        ]
    return out


def with_fields(name: str, base: Document, change: Document) -> Document:
    parent, _, child = name.partition(".")
    if child in ("updates", "deletes"):
        return {**base, child: [{**base[child][0], **change}]}
    return {**base, **change}


PREPARE: list[Document] = [
    {"drop": "c"},
    {"insert": "c", "documents": [{"_id": n, "a": n} for n in range(3)]},
    {"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]},
]
DOCUMENTS: list[Document] = [{"delete": "c", "deletes": [{"q": {}, "limit": 0}]}, PREPARE[1]]
# what puts things right again after a command that answered ok; None: everything anew
REPAIR: dict[str, list[Document] | None] = {
    "insert": DOCUMENTS,
    "update": DOCUMENTS,
    "delete": DOCUMENTS,
    "findAndModify": DOCUMENTS,
    "create": [{"drop": "new"}],
    "createIndexes": [{"dropIndexes": "c", "index": "*"}, PREPARE[2]],
    "dropIndexes": [PREPARE[2]],
    "collMod": None,
    "drop": None,
    "dropDatabase": None,
    "renameCollection": None,
    "convertToCapped": None,
}


def answers(run: Any, names: list[str] | None = None, every: int = 1) -> dict[str, dict[str, int]]:
    """What a store answers: 0 for ok, else the error's code."""
    out: dict[str, dict[str, int]] = {}
    for name, found in cases().items():
        if names is not None and name not in names:
            continue
        out[name] = {}
        repair: list[Document] | None = None
        for label, db, command in found[::every]:
            if repair is None:
                repair = [{"drop": "new"}, {"drop": "d"}, *PREPARE]
            for step in repair:
                run(DB, step)
            reply = run(db, command)
            out[name][label] = outcome(reply)
            repair = REPAIR.get(next(iter(command)), []) if reply.get("ok") else []
    return out


def outcome(reply: Document) -> int:
    if not reply.get("ok"):
        return int(reply.get("code", -1))
    errors = reply.get("writeErrors")
    concern = reply.get("writeConcernError")
    if errors:
        return int(errors[0]["code"])
    return int(concern["code"]) if concern else 0
