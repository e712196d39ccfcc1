# SPDX-License-Identifier: Apache-2.0
"""The two stores, and what of their replies must be the same."""

import pathlib
import sys
from typing import Any

import bson

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "arguments"))
from wire import Wire  # noqa: E402

Document = dict[str, Any]

# Times and places of one server. Messages are worded alike but name such things too. That a
# collection made in a transaction, by whichever command, was made by createIndexes the embedded
# store does not say.
OWN = {
    "$clusterTime", "operationTime", "opTime", "electionId", "atClusterTime", "errmsg", "uuid",
    "commitQuorum", "keyValue", "keyPattern", "errInfo", "topologyVersion",
    "createdCollectionAutomatically",
}  # fmt: skip


class Embedded:
    def __init__(self) -> None:
        from mongodb import _core

        self.client = _core.Client("docstore://:memory:")

    def run(self, db: str, command: Document) -> Document:
        return bson.decode(self.client.run_raw(db, {**command, "$db": db}, check=False))

    def close(self) -> None:
        self.client.close()


class Server:
    """A real mongod, asked without a driver."""

    def __init__(self, host: str, port: int) -> None:
        self.wire = Wire(host, port)

    def run(self, db: str, command: Document) -> Document:
        return self.wire.run(db, command)

    def close(self) -> None:
        self.wire.close()


# Parts of replies whose fields come in any order; documents' do not.
LOOSE = {"", "cursor"}
COUNTED = {"cursorsKilled", "cursorsNotFound", "cursorsAlive", "cursorsUnknown"}
UNORDERED = {"errorLabels", "values"}


def normal(value: Any, name: str = "") -> Any:
    """A reply without what is one server's own; numbers keep their types."""
    if isinstance(value, dict):
        items = [(key, normal(inner, key)) for key, inner in value.items() if key not in OWN]
        if name == "cursor":
            items = [(key, bool(value["id"]) if key == "id" else inner) for key, inner in items]
        return sorted(items) if name in LOOSE else items
    if isinstance(value, list):
        parts = [normal(inner, "[]") for inner in value]
        if name in COUNTED:
            return len(parts)
        return sorted(parts, key=repr) if name in UNORDERED else parts
    return type(value).__name__, repr(value)
