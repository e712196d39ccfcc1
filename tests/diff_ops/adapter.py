# SPDX-License-Identifier: Apache-2.0
"""An in-process candidate for diff_ops: commands go through `mongodb._core.Client`."""

import os
import uuid
from typing import Any

import bson
from bson import Int64
from bson.binary import Binary
from bson.codec_options import CodecOptions, DatetimeConversion, TypeRegistry
from bson.raw_bson import RawBSONDocument

from mongodb import _core

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)


def _codec() -> CodecOptions[Any]:
    """Return the codec diff_ops compares with, when it is there."""
    try:
        from dops import ejson

        return ejson.CODEC
    except ImportError:
        return CodecOptions(
            datetime_conversion=DatetimeConversion.DATETIME_MS,
            type_registry=TypeRegistry(),
        )


class _Session:
    """A session's id and where its transaction stands."""

    def __init__(self) -> None:
        self.id = Binary(uuid.uuid4().bytes, 4)
        self.number = 0
        self.state = "none"


class Embedded:
    """diff_ops' candidate: `command(db, doc, session)` and `txn(what, session)`."""

    sessions = True

    def __init__(self, uri: str | None = None) -> None:
        self.client = _core.Client(uri or os.environ.get("DIFF_OPS_URI", "docstore://:memory:"))
        self.codec = _codec()
        self.by_name: dict[str, _Session] = {}

    def run(self, db: str, doc: dict[str, Any]) -> dict[str, Any]:
        """Run a command document as it stands and decode the reply as diff_ops does."""
        try:
            command = bson.encode(doc)
        except (bson.errors.BSONError, OverflowError) as e:
            return {"ok": 0.0, "client-error": f"encode {type(e).__name__}"}
        reply = self.client.run_raw(db, RawBSONDocument(command, _RAW), check=False)
        return bson.decode(bytes(reply), codec_options=self.codec)

    def command(self, db: str, doc: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        """Run a command, in the named session's transaction when one is open."""
        command = dict(doc)
        if session:
            s = self.by_name.setdefault(session, _Session())
            command["lsid"] = {"id": s.id}
            if s.state in ("start", "in"):
                command["txnNumber"] = Int64(s.number)
                command["autocommit"] = False
                if s.state == "start":
                    command["startTransaction"] = True
                    s.state = "in"
        return self.run(db, command)

    def txn(self, what: str, name: str) -> dict[str, Any]:
        """Start, commit or abort the named session's transaction."""
        s = self.by_name.setdefault(name, _Session())
        if what == "start":
            s.number += 1
            s.state = "start"
            return {"ok": 1.0}
        reply = self.run(
            "admin",
            {
                f"{what}Transaction": 1,
                "lsid": {"id": s.id},
                "txnNumber": Int64(s.number),
                "autocommit": False,
            },
        )
        s.state = "ended"
        return reply
