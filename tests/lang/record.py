# SPDX-License-Identifier: Apache-2.0
"""Run the cases of tests/lang/*.json on a mongod and write its answers into the files.

    python tests/lang/record.py URI [--all] FILE...

Without --all only cases that have no expectation yet are run. A file holds
`{"cases": [{"name", "docs", "indexes", "setup", "command", "expect", "after", "unordered"}]}` in
canonical extended JSON; `expect` is one of `docs`, `reply` (a part of it), `error`. `docs` beside
`cases` serves the cases that have none of their own.
"""

import argparse
import json
import pathlib
from typing import Any

from bson import json_util

WRITES = {"insert", "update", "delete", "findAndModify"}
KEPT = ("n", "nModified", "upserted", "values", "value", "lastErrorObject")
DB = "lang"

Document = dict[str, Any]


WRAPPERS = (
    {"$numberInt"}, {"$numberLong"}, {"$numberDouble"}, {"$numberDecimal"}, {"$oid"}, {"$date"},
    {"$binary"}, {"$regularExpression"}, {"$timestamp"}, {"$minKey"}, {"$maxKey"}, {"$undefined"},
    {"$code"}, {"$code", "$scope"}, {"$symbol"}, {"$dbPointer"},
)  # fmt: skip


def decode(value: Document) -> Any:
    """Only the canonical forms: json_util would take filters ({$regex: 1}) for values as well."""
    if set(value) not in WRAPPERS:
        return value
    options = json_util.CANONICAL_JSON_OPTIONS.with_options(tz_aware=False, tzinfo=None)
    return json_util.object_hook(value, json_options=options)


def load(path: pathlib.Path) -> Document:
    """A file as it stands."""
    return json.loads(path.read_text(), object_hook=decode)


def cases_of(file: Document) -> list[Document]:
    """Its cases, each with its documents."""
    return [{"docs": file.get("docs", []), **case} for case in file["cases"]]


def plain(value: Any) -> Any:
    """The value as canonical extended JSON, for exact comparison of types and field order."""
    return json_util.dumps(value, json_options=json_util.CANONICAL_JSON_OPTIONS)


def run_case(run: Any, case: Document) -> tuple[Document, list[Document]]:
    """Prepare the case's collection and run its command: the reply, and the collection after."""
    coll = next((v for v in case["command"].values() if isinstance(v, str)), "c")
    run(DB, {"drop": coll})
    for setup in case.get("setup", []):
        run(DB, setup)
    if case.get("docs"):
        must(run(DB, {"insert": coll, "documents": case["docs"]}))
    if case.get("indexes"):
        must(run(DB, {"createIndexes": coll, "indexes": case["indexes"]}))
    reply = run(DB, case["command"])
    after = run(DB, {"find": coll, "filter": {}}) if "after" in case or is_write(case) else {}
    return reply, after.get("cursor", {}).get("firstBatch", [])


def must(reply: Document) -> None:
    if not reply.get("ok") or reply.get("writeErrors"):
        raise AssertionError(f"preparing a case failed: {reply}")


def is_write(case: Document) -> bool:
    return next(iter(case["command"])) in WRITES


def observe(reply: Document) -> Document:
    """What is kept of a reply as an expectation."""
    if not reply.get("ok"):
        return {"error": {"code": reply["code"], "codeName": reply.get("codeName")}}
    if "cursor" in reply:
        return {"docs": reply["cursor"]["firstBatch"]}
    kept = {key: reply[key] for key in KEPT if key in reply}
    if "writeErrors" in reply:
        kept["writeErrors"] = [
            {key: error[key] for key in ("index", "code")} for error in reply["writeErrors"]
        ]
    return {"reply": kept}


def dump(file: Document) -> str:
    """One case a line, in a stable form."""
    docs = '"docs": ' + plain(file["docs"]) + ",\n" if "docs" in file else ""
    lines = ",\n".join("  " + plain(case) for case in file["cases"])
    return "{" + docs + '"cases": [\n' + lines + "\n]}\n"


def main() -> None:
    from pymongo import MongoClient
    from pymongo.errors import OperationFailure

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri")
    parser.add_argument("--all", action="store_true", help="record again what is there")
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    client: Any = MongoClient(args.uri, tz_aware=False)

    def run(db: str, command: Document) -> Document:
        try:
            return client[db].command(command)
        except OperationFailure as error:
            return dict(error.details or {})

    for path in args.files:
        file = load(path)
        cases = file["cases"]
        names = [case["name"] for case in cases]
        assert len(names) == len(set(names)), f"{path}: a name is used twice"
        for case in cases:
            if "expect" in case and not args.all:
                continue
            reply, after = run_case(run, {"docs": file.get("docs", []), **case})
            case["expect"] = observe(reply)
            if is_write(case):
                case["after"] = after
        path.write_text(dump(file))
        load(path)
        print(f"{path.name}: {len(cases)} cases")


if __name__ == "__main__":
    main()
