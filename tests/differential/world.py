# SPDX-License-Identifier: Apache-2.0
"""One sequence on both stores: what each step sends, what is known to differ, what is compared.

Known to differ is one thing, docs/decisions/0005: the embedded store has one writer per file. While
a transaction has written, others' writes wait there; and one that has read cannot write any more
when others have committed since. `allowed_conflict` says when, from the steps alone. Then, and only
then, the embedded store may refuse what mongod would do; it is not sent to mongod, whose
transaction is aborted like the embedded one.

Not sent at all is what would wait for ever on mongod in one thread, or what mongod calls too new
for a snapshot: changes of a collection that an open transaction has used, and the other way."""

import uuid
from collections.abc import Callable
from typing import Any

from bson import Int64
from bson.binary import Binary
from steps import COLLECTIONS, SESSIONS, SLOTS, Step
from stores import Document, Embedded, Server, normal

CONFLICTS = {24, 50, 112}  # LockTimeout, MaxTimeMSExpired, WriteConflict
WAIT_MS = 40  # for another's writer
LONG_MS = 2000
WRITES = {"insert", "update", "delete", "modify", "bulk"}
CHANGES = {"create", "view", "index", "drop_index", "drop", "rename", "coll_mod"}


class Difference(Exception):
    """A reply, or what is stored in the end, is not the same."""


class Session:
    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.lsid = {"id": Binary(uuid.uuid4().bytes, 4)}
        self.number = 0
        self.open = self.starting = self.wrote = False
        self.concern = ""
        self.seen = self.sure = 0  # how many changes there were when its snapshot was taken
        self.touched: set[str] = set()
        self.made: set[str] = set()
        self.last: Document | None = None  # the last retryable write

    def ended(self) -> None:
        self.open = self.starting = self.wrote = False
        self.touched, self.made = set(), set()


class Cursor:
    def __init__(self, who: int, number: int, coll: str, ids: tuple[Int64, Int64]) -> None:
        self.who, self.coll, self.ids = who, coll, ids
        self.number = number  # of the transaction it was opened in; 0: in none


class World:
    """Runs steps; `log` keeps what was sent."""

    def __init__(self, embedded: Embedded, server: Server, db: str) -> None:
        self.embedded, self.server, self.db = embedded, server, db
        self.sessions = [Session() for _ in range(SESSIONS)]
        self.cursors: list[Cursor | None] = [None] * SLOTS
        self.times: list[tuple[Any, Any, int, int] | None] = [None] * SLOTS
        self.changes = 0  # commits that may have changed something
        self.certain = 0  # that did
        self.changed: dict[str, int] = {}  # collections: the last change of them themselves
        self.absent: set[str] = set()  # those that were not there before the step
        self.view_made = False
        self.log: list[tuple[str, Document, Document, Document]] = []
        self.conflicts = 0
        self.sent = 0

    # What a step sends.

    def command(self, step: Step) -> Document | None:
        build: Callable[..., Document | None] | None = getattr(self, f"_{step.what}", None)
        assert build is not None, step
        return build(step, *step.args)

    def _insert(self, step: Step, ids: tuple[int, ...], n: int, ordered: bool) -> Document:
        documents = [{"_id": i, "n": n, "m": i % 3} for i in ids]
        return {"insert": step.coll, "documents": documents, "ordered": ordered}

    def _update(self, step: Step, _id: int, n: int, how: str) -> Document:
        one: Document = {"q": {"_id": _id}, "u": {"$inc": {"n": 1}, "$set": {"s": n}}}
        if how == "many":
            one = {"q": {"n": {"$gte": n}}, "u": {"$inc": {"n": 1}}, "multi": True}
        elif how == "upsert":
            one = {**one, "upsert": True}
        updates = [one, {"q": {"_id": n}, "u": {"n": n}}] if how == "two" else [one]
        return {"update": step.coll, "updates": updates}

    def _delete(self, step: Step, _id: int, n: int, one: bool) -> Document:
        query = {"_id": _id} if one else {"n": n}
        return {"delete": step.coll, "deletes": [{"q": query, "limit": int(one)}]}

    def _modify(self, step: Step, _id: int, how: str) -> Document:
        command = {"findAndModify": step.coll, "query": {"_id": _id}}
        if how == "remove":
            return {**command, "remove": True}
        change = {"update": {"$inc": {"n": 1}}, "new": how != "old", "upsert": how == "upsert"}
        return {**command, **change}

    def _find(self, step: Step, form: int, size: int, slot: int) -> Document:
        return {"find": step.coll, **FORMS[form], "batchSize": size}

    def _snapshot(self, step: Step, form: int, size: int, slot: int) -> Document | None:
        return None if self.sessions[step.who].open else self._find(step, form, size, slot)

    def _aggregate(self, step: Step, form: int, size: int, slot: int) -> Document:
        pipeline = PIPELINES[form]
        return {"aggregate": step.coll, "pipeline": pipeline, "cursor": {"batchSize": size}}

    def _distinct(self, step: Step) -> Document:
        return {"distinct": step.coll, "key": "n"}

    def _count(self, step: Step) -> Document:
        return {"count": step.coll, "query": {"n": {"$gt": 1}}}

    def _more(
        self, step: Step, slot: int, size: int, other: bool, elsewhere: bool
    ) -> Document | None:
        cursor = self.cursor(slot)
        if cursor is None or (not other and cursor.who != step.who):
            return None
        coll = "b" if elsewhere and cursor.coll == "a" else cursor.coll
        return {"getMore": cursor, "collection": coll, "batchSize": size + 1}

    def cursor(self, slot: int) -> Cursor | None:
        """One that can be used: with its transaction mongod's ends too, but with another error."""
        cursor = self.cursors[slot]
        if cursor is not None and cursor.number:
            owner = self.sessions[cursor.who]
            if not owner.open or owner.starting or owner.number != cursor.number:
                self.cursors[slot] = None
        return self.cursors[slot]

    def _kill_cursors(self, step: Step, slot: int) -> Document | None:
        cursor = self.cursor(slot)
        return cursor and {"killCursors": cursor.coll, "cursors": cursor}

    def _start(self, step: Step, concern: str) -> None:
        session = self.sessions[step.who]
        if not session.open:
            session.ended()
            session.number += 1
            session.starting, session.open, session.concern = True, True, concern

    def _commit(self, step: Step) -> Document | None:
        return self.ending(step.who, "commitTransaction")

    def _abort(self, step: Step) -> Document | None:
        return self.ending(step.who, "abortTransaction")

    def ending(self, who: int, name: str) -> Document | None:
        session = self.sessions[who]
        return {name: 1} if session.number and not session.starting else None

    def _late(self, step: Step) -> Document | None:
        """A command of a transaction that has ended."""
        session = self.sessions[step.who]
        return {"find": step.coll} if session.number and not session.open else None

    def _retry(self, step: Step) -> Document | None:
        session = self.sessions[step.who]
        return None if session.open else session.last

    def _old_number(self, step: Step) -> Document | None:
        session = self.sessions[step.who]
        if session.open or session.number < 2:
            return None
        return {"insert": step.coll, "documents": [{"_id": 1}], "txnNumber": Int64(1)}

    def _create(self, step: Step) -> Document:
        return {"create": step.coll}

    def _view(self, step: Step) -> Document:
        return {"create": "v", "viewOn": "a", "pipeline": [{"$match": {"n": {"$gt": 1}}}]}

    def _index(self, step: Step, form: int) -> Document:
        return {"createIndexes": step.coll, "indexes": [INDEXES[form]]}

    def _drop_index(self, step: Step, name: str) -> Document:
        return {"dropIndexes": step.coll, "index": name}

    def _drop(self, step: Step) -> Document:
        return {"drop": step.coll}

    def _rename(self, step: Step, to: str, drop: bool) -> Document | None:
        if self.sessions[step.who].open:
            return None
        names = {"renameCollection": f"{self.db}.{step.coll}", "to": f"{self.db}.{to}"}
        return {**names, "dropTarget": drop}

    def _coll_mod(self, step: Step) -> Document:
        return {"collMod": step.coll, "validationLevel": "moderate"}

    def _end_session(self, step: Step) -> Document:
        return {"endSessions": [self.sessions[step.who].lsid]}

    def _kill_session(self, step: Step) -> Document:
        return {"killSessions": [self.sessions[step.who].lsid]}

    # What is known to differ.

    def others(self, who: int) -> list[Session]:
        return [s for i, s in enumerate(self.sessions) if i != who and s.open and not s.starting]

    def names(self, step: Step, command: Document) -> set[str]:
        names = {step.coll} | ({step.args[0]} if step.what == "rename" else set())
        name = next(iter(command))
        if name in ("insert", "update", "delete", "findAndModify"):
            names = {command[name]}
        return names | {"a"} if "v" in names else names

    def would_wait(self, step: Step, command: Document) -> bool:
        """Whether mongod has locks that this one thread would wait for, or a too new catalog."""
        names = self.names(step, command)
        session = self.sessions[step.who]
        if session.open and step.what in CHANGES and self.more_is_allowed(step, session):
            return True
        writes = step.what in WRITES | {"retry", "old_number"}
        makes = step.what in CHANGES or (writes and bool(names & self.missing()))
        for other in self.others(step.who):
            if other.made & names or (makes and other.touched & names):
                return True
        if session.open and not session.starting:
            return any(self.changed.get(name, 0) > session.seen for name in names)
        return False

    def more_is_allowed(self, step: Step, session: Session) -> bool:
        """Transactions of the embedded store may make indexes of empty collections that were there
        before."""
        return step.what == "index" and step.coll not in session.made | self.missing()

    def missing(self) -> set[str]:
        listed = self.embedded.run(self.db, {"listCollections": 1, "nameOnly": True})
        there = {entry["name"] for entry in listed["cursor"]["firstBatch"]}
        return {*COLLECTIONS, "v"} - there

    def allowed_conflict(self, step: Step, command: Document) -> bool:
        """Whether one writer per file explains that the embedded store refuses."""
        session = self.sessions[step.who]
        if any(other.wrote for other in self.others(step.who)):
            return True
        return session.open and not session.starting and session.seen < self.changes

    # Running.

    def dress(self, step: Step, command: Document) -> Document:
        """The fields of the session."""
        session = self.sessions[step.who]
        fields = dict(command, lsid=session.lsid)
        if step.what in ("end_session", "kill_session"):
            return dict(command)
        if step.what in ("retry", "old_number"):
            return {**fields, "maxTimeMS": WAIT_MS}
        ending = step.what in ("commit", "abort", "late")
        if ending or session.open:
            fields |= {"txnNumber": Int64(session.number), "autocommit": False}
        if session.open and session.starting:
            fields["startTransaction"] = True
            if session.concern:
                fields["readConcern"] = {"level": session.concern}
        if step.retryable and not session.open:
            session.number += 1
            fields["txnNumber"] = Int64(session.number)
            session.last = dict(command, txnNumber=Int64(session.number))
        if step.what not in ("more", "kill_cursors", "commit", "abort"):
            waits = any(other.wrote for other in self.others(step.who))
            fields["maxTimeMS"] = WAIT_MS if waits else LONG_MS
        return fields

    def undressed(self, step: Step, side: int, command: Document) -> Document:
        """The command as one of the stores is sent it: with its own cursor's id and time."""
        fields = dict(command)
        for name in ("getMore", "cursors"):
            cursor = fields.get(name)
            if isinstance(cursor, Cursor):
                fields[name] = cursor.ids[side] if name == "getMore" else [cursor.ids[side]]
        if step.what == "snapshot":
            fields["readConcern"] = {"level": "snapshot"}
            known = self.times[step.args[2]]
            if known and known[2] >= self.changed.get(step.coll, 0):
                fields["readConcern"]["atClusterTime"] = known[side]
        return fields

    def run(self, step: Step) -> None:
        command = self.command(step)
        if command is None or self.would_wait(step, command):
            return
        admin = step.what in ("commit", "abort", "rename", "end_session", "kill_session")
        db = "admin" if admin else self.db
        self.sent += 1
        conflict = self.allowed_conflict(step, command)
        must = self.must_conflict(step, conflict)
        fields = self.dress(step, command)
        self.absent = self.missing()
        mine = self.embedded.run(db, self.undressed(step, 0, fields))
        refused = code_of(mine) in CONFLICTS
        if refused and conflict and self.writes(step):
            self.conflicts += 1
            self.mirror_abort(step)
            return
        if must and not refused:
            raise Difference(f"{step}\nneeds the file's one writer, and was not refused: {mine}")
        theirs = self.server.run(db, self.undressed(step, 1, fields))
        if step.what == "end_session":
            # mongod does it within five minutes
            self.server.run("admin", {"killSessions": [self.sessions[step.who].lsid]})
        self.log.append((db, fields, mine, theirs))
        self.settle(fields, mine, theirs)
        if normal(mine) != normal(theirs):
            raise Difference(
                f"{step}\n  sent      {fields}\n  embedded  {mine}\n  mongod    {theirs}"
            )
        self.remember(step, command, mine, theirs)

    def settle(self, command: Document, mine: Document, theirs: Document) -> None:
        """Whether a cursor whose batch is full has ended depends on the plan: neither store looks
        behind the batch, but a sort or a choice of plans may know. Who does not is asked again."""
        parts = [reply.get("cursor", {}) for reply in (mine, theirs)]
        batches = [part.get("firstBatch", part.get("nextBatch")) for part in parts]
        size = command.get("batchSize", command.get("cursor", {}).get("batchSize"))
        ids = [part.get("id") for part in parts]
        if batches[0] is None or len(batches[0]) != size or bool(ids[0]) == bool(ids[1]):
            return
        side = 0 if ids[0] else 1
        coll = command.get("collection", next(iter(command.values())))
        kept = ("lsid", "txnNumber", "autocommit")
        more = {
            "getMore": ids[side],
            "collection": coll,
            **{k: command[k] for k in kept if k in command},
        }
        reply = (self.embedded, self.server)[side].run(self.db, more)
        if reply["ok"] and not reply["cursor"]["nextBatch"] and not reply["cursor"]["id"]:
            parts[side]["id"] = ids[1 - side]

    def writes(self, step: Step) -> bool:
        return step.what in WRITES | CHANGES | {"retry", "old_number"}

    def must_conflict(self, step: Step, conflict: bool) -> bool:
        """An insert of a transaction that is too old; anything else may turn out to do nothing."""
        session = self.sessions[step.who]
        return (
            conflict
            and session.sure < self.certain
            and session.open
            and not session.starting
            and step.what == "insert"
            and step.coll != "v"
            and step.coll not in self.missing()
        )

    def mirror_abort(self, step: Step) -> None:
        session = self.sessions[step.who]
        if not session.open:
            if step.retryable:
                session.last = None
                # the number is used up; this changes nothing
                nothing = {"delete": "none", "deletes": [{"q": {"_id": 0}, "limit": 1}]}
                fields = {"lsid": session.lsid, "txnNumber": Int64(session.number)}
                self.server.run(self.db, {**nothing, **fields})
            return
        fields = {"lsid": session.lsid, "txnNumber": Int64(session.number), "autocommit": False}
        if session.starting:
            first = {"find": "none", **fields, "startTransaction": True}
            self.server.run(self.db, first)
        self.server.run("admin", {"abortTransaction": 1, **fields})
        session.ended()

    def remember(self, step: Step, command: Document, mine: Document, theirs: Document) -> None:
        session = self.sessions[step.who]
        failed = not mine["ok"] or "writeErrors" in mine
        names = self.names(step, command)
        if step.what in ("find", "aggregate", "snapshot") and not failed:
            self.remember_cursor(step, mine, theirs)
        if step.what in ("commit", "abort"):
            self.changes += bool(step.what == "commit" and session.wrote and mine["ok"])
            for name in session.made - self.missing() if step.what == "commit" else ():
                self.changed[name] = self.changes
            if mine["ok"] or step.what == "abort":
                session.ended()
        elif step.what in ("end_session", "kill_session"):
            self.end_session(step)
        elif session.open:
            self.remember_in_transaction(step, session, names, failed)
        elif self.writes(step):
            self.changes += 1
            self.certain += step.what in WRITES and mine.get("nModified", mine.get("n", 0)) > 0
            for name in names if step.what in CHANGES else names & self.absent - self.missing():
                self.changed[name] = self.changes

    def end_session(self, step: Step) -> None:
        """What ends with a session: of the embedded store also its snapshots."""
        session = self.sessions[step.who]
        self.times = [time if time and time[3] != step.who else None for time in self.times]
        session.ended()
        if step.what == "end_session":
            session.renew()

    def remember_in_transaction(
        self, step: Step, session: Session, names: set[str], failed: bool
    ) -> None:
        if session.starting and step.what == "kill_cursors":
            return  # refused: nothing has begun
        if session.starting:
            session.starting, session.seen, session.sure = False, self.changes, self.certain
        session.touched |= names
        if self.writes(step) and not failed:
            session.wrote = True
            session.made |= names if step.what in CHANGES else names & self.missing()
        if failed:
            self.probe(session)

    def probe(self, session: Session) -> None:
        """Whether a transaction goes on after what failed in it: the same on both."""
        fields = {"lsid": session.lsid, "txnNumber": Int64(session.number), "autocommit": False}
        find = {"find": "none", **fields}
        mine, theirs = self.embedded.run(self.db, find), self.server.run(self.db, find)
        self.log.append((self.db, find, mine, theirs))
        if normal(mine) != normal(theirs):
            raise Difference(f"after a failure\n  embedded  {mine}\n  mongod    {theirs}")
        if not mine["ok"]:
            session.ended()

    def remember_cursor(self, step: Step, mine: Document, theirs: Document) -> None:
        slot = step.args[2]
        ids = (mine["cursor"]["id"], theirs["cursor"]["id"])
        number = self.sessions[step.who].number if self.sessions[step.who].open else 0
        self.cursors[slot] = Cursor(step.who, number, step.coll, ids) if ids[0] else None
        at = (mine["cursor"].get("atClusterTime"), theirs["cursor"].get("atClusterTime"))
        if step.what == "snapshot" and all(at):
            known = self.times[slot]
            if known is None or known[0] != at[0]:
                self.times[slot] = (*at, self.changes, step.who)

    # The end.

    def finish(self) -> None:
        for session in self.sessions:
            fields = {"lsid": session.lsid, "txnNumber": Int64(session.number)}
            for store in (self.embedded, self.server):
                if session.open and not session.starting:
                    store.run("admin", {"abortTransaction": 1, **fields, "autocommit": False})
        mine, theirs = contents(self.embedded, self.db), contents(self.server, self.db)
        if mine != theirs:
            raise Difference(f"in the end\n  embedded  {mine}\n  mongod    {theirs}")
        for name in mine:
            if name != "v":
                valid = self.embedded.run(self.db, {"validate": name, "full": True})
                if not valid["valid"]:
                    raise Difference(f"{name} is damaged: {valid}")


def code_of(reply: Document) -> int:
    if not reply["ok"]:
        return int(reply.get("code", 0))
    errors = reply.get("writeErrors")
    return int(errors[0]["code"]) if errors else 0


def contents(store: Embedded | Server, db: str) -> Document:
    """Everything stored, by collection."""
    found: Document = {}
    for entry in store.run(db, {"listCollections": 1})["cursor"]["firstBatch"]:
        name = entry["name"]
        if name.startswith("system."):
            continue
        documents = store.run(db, {"find": name, "sort": {"_id": 1}})["cursor"]["firstBatch"]
        indexes: list[Any] = []
        if entry["type"] == "collection":
            indexes = store.run(db, {"listIndexes": name})["cursor"]["firstBatch"]
        found[name] = (normal(entry), normal(documents), sorted(map(repr, indexes)))
    return dict(sorted(found.items()))


# Orders that both stores read in one way: in natural order, by _id, by n and _id.
FORMS: list[Document] = [
    {},
    {"sort": {"_id": 1}},
    {"sort": {"n": 1, "_id": 1}},
    {"filter": {"m": {"$lt": 2}}, "sort": {"_id": -1}},
]
PIPELINES: list[list[Document]] = [
    [{"$group": {"_id": "$n", "k": {"$sum": 1}}}, {"$sort": {"_id": 1}}],
    [{"$group": {"_id": None, "ids": {"$sum": "$_id"}}}],
    [{"$match": {"n": {"$gte": 1}}}, {"$count": "k"}],
]
INDEXES: list[Document] = [
    {"key": {"n": 1, "_id": 1}, "name": "n"},
    {"key": {"m": 1}, "name": "m"},
    {"key": {"s": -1}, "name": "s", "sparse": True},
]
