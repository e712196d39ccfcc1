# SPDX-License-Identifier: Apache-2.0
"""Every terminal method of a queryset in every state it may be in, against plain lists."""

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from mongodb import Document, InvalidQueryError, connect, disconnect, get_db
from mongodb.errors import DoesNotExist, MultipleObjectsReturned
from mongodb.fields import IntField, ListField, ReferenceField, StringField
from mongodb.queryset import Avg, Count, Max, Sum, queryset_manager

Rows = list[dict[str, Any]]


class StateOther(Document):
    name = StringField()


class StateDoc(Document):
    n = IntField()
    t = StringField()
    tags = ListField(StringField())
    other = ReferenceField(StateOther)
    meta = {"indexes": ["n"]}

    @queryset_manager
    def even(cls, queryset: Any) -> Any:
        return queryset.filter(n__in=[0, 2, 4])


class StateNamed(Document):
    key = StringField(primary_key=True)
    t = StringField()


class StateFiltered(Document):
    """A class whose own manager hides documents."""

    n = IntField()
    t = StringField()
    tags = ListField(StringField())

    @queryset_manager
    def objects(cls, queryset: Any) -> Any:
        return queryset.filter(n__in=[1, 3])

    @queryset_manager
    def everything(cls, queryset: Any) -> Any:
        return queryset


ROWS: Rows = [
    {"_id": ObjectId(f"{n:024x}"), "n": n, "t": "ab"[n % 2], "tags": ["x", f"y{n}"]}
    for n in range(6)
]


def slices(first: int | None, last: int | None) -> Callable[[Any], Any]:
    return lambda rows: rows[first:last]


# Each: what is done with the queryset, and with the list of rows.
BOUNDS: dict[str, tuple[Any, Any]] = {
    "all": (lambda q: q, lambda r: r),
    "none": (lambda q: q.none(), lambda r: []),
    "limit(0)": (lambda q: q.limit(0), lambda r: []),
    "limit(2)": (lambda q: q.limit(2), lambda r: r[:2]),
    "limit(2), limit(None)": (lambda q: q.limit(2).limit(None), lambda r: r),
    "skip(2)": (lambda q: q.skip(2), lambda r: r[2:]),
    "skip(9)": (lambda q: q.skip(9), lambda r: r[9:]),
    "[1:4]": (slices(1, 4), slices(1, 4)),
    "[2:2]": (slices(2, 2), lambda r: []),
    "[:3][:10]": (lambda q: q[:3][:10], lambda r: r[:3][:10]),
    "[1:][1:3]": (lambda q: q[1:][1:3], lambda r: r[1:][1:3]),
    "[:2][3:]": (lambda q: q[:2][3:], lambda r: []),
    "[: 2**70]": (lambda q: q[: 2**70], lambda r: r),
}
ORDERS: dict[str, tuple[Any, Any]] = {
    "as stored": (lambda q: q, lambda r: r),
    "-n": (lambda q: q.order_by("-n"), lambda r: sorted(r, key=lambda x: -x["n"])),
    "t, -n": (
        lambda q: q.order_by("t", "-n"),
        lambda r: sorted(r, key=lambda x: (x["t"], -x["n"])),
    ),
}


def evaluated(queryset: Any) -> Any:
    list(queryset)
    return queryset


def begun(queryset: Any) -> Any:
    next(queryset, None)
    return queryset


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda q: q,
    "hint": lambda q: q.hint([("n", 1)]),
    "collation": lambda q: q.collation({"locale": "simple"}),
    "comment": lambda q: q.comment("why"),
    "max_time_ms": lambda q: q.max_time_ms(60000),
    "batch_size": lambda q: q.batch_size(2),
    "only": lambda q: q.only("n", "t"),
    "exclude": lambda q: q.exclude("tags"),
    "slice of a field": lambda q: q.fields(slice__tags=1),
    "read_concern": lambda q: q.read_concern({"level": "local"}),
    "no_cache": lambda q: q.no_cache(),
    "select_related": lambda q: q.select_related("other"),
    "no_dereference": lambda q: q.no_dereference(),
    "evaluated": evaluated,
    "begun": begun,
    "a copy of an evaluated one": lambda q: evaluated(q).all(),
}


def numbers(found: Any) -> list[int]:
    return [one.n for one in found]


def only_one(rows: Rows) -> Any:
    if not rows:
        return DoesNotExist
    return rows[0]["n"] if len(rows) == 1 else MultipleObjectsReturned


def number(found: Any) -> Any:
    return None if found is None else found.n


def first(rows: Rows) -> Any:
    return rows[0]["n"] if rows else None


# Each: what is called, and what it gives for the rows that the queryset stands for.
READS: dict[str, tuple[Any, Any]] = {
    "list": (numbers, lambda r: [x["n"] for x in r]),
    "iterator()": (lambda q: numbers(q.iterator()), lambda r: [x["n"] for x in r]),
    "next()": (lambda q: number(next(q.all(), None)), first),
    "bool": (bool, bool),
    "len": (lambda q: len(q.cache()), len),
    "repr": (lambda q: repr(q).count("StateDoc"), lambda r: 2 * len(r)),
    "in": (lambda q: StateDoc(id=ROWS[3]["_id"]) in q, lambda r: any(x["n"] == 3 for x in r)),
    "count(True)": (lambda q: q.count(True), len),
    "exists": (lambda q: q.exists(), bool),
    "first": (lambda q: number(q.first()), first),
    "last": (lambda q: number(q.last()), lambda r: r[-1]["n"] if r else None),
    "[0]": (lambda q: number(q[0]), lambda r: r[0]["n"] if r else IndexError),
    "[1]": (lambda q: number(q[1]), lambda r: r[1]["n"] if len(r) > 1 else IndexError),
    "get": (lambda q: number(q.get()), only_one),
    "[:1].get": (lambda q: number(q[:1].get()), lambda r: only_one(r[:1])),
    "scalar": (lambda q: list(q.scalar("n")), lambda r: [x["n"] for x in r]),
    "values_list": (
        lambda q: list(q.values_list("n", "t")),
        lambda r: [(x["n"], x["t"]) for x in r],
    ),
    "values": (lambda q: list(q.values("n")), lambda r: [{"n": x["n"]} for x in r]),
    "as_pymongo": (lambda q: [x["n"] for x in q.as_pymongo()], lambda r: [x["n"] for x in r]),
    "to_json": (lambda q: q.to_json().count("_id"), len),
    "distinct": (lambda q: sorted(q.distinct("t")), lambda r: sorted({x["t"] for x in r})),
    "sum": (lambda q: q.sum("n"), lambda r: sum(x["n"] for x in r)),
    "average": (lambda q: q.average("n"), lambda r: sum(x["n"] for x in r) / len(r) if r else 0),
    "aggregate": (
        lambda q: [x["n"] for x in q.aggregate([{"$match": {}}])],
        lambda r: [x["n"] for x in r],
    ),
    "expressions": (
        lambda q: q.aggregate(n=Count("*"), top=Max("n"), all=Sum("n"), mean=Avg("n")),
        lambda r: {
            "n": len(r),
            "top": max((x["n"] for x in r), default=None),
            "all": sum(x["n"] for x in r) if r else None,
            "mean": sum(x["n"] for x in r) / len(r) if r else None,
        },
    ),
    "item_frequencies": (
        lambda q: q.item_frequencies("t"),
        lambda r: {t: sum(x["t"] == t for x in r) for t in "ab" if any(x["t"] == t for x in r)},
    ),
}

# Each: what is called, its answer, and the numbers of the rows that it changes or removes.
WRITES: dict[str, tuple[Any, Any, Any]] = {
    "update": (lambda q: q.update(set__t="X"), len, lambda r: r),
    "update full_result": (
        lambda q: q.update(set__t="X", full_result=True).matched_count,
        len,
        lambda r: r,
    ),
    "update_one": (lambda q: q.update_one(set__t="X"), lambda r: len(r[:1]), lambda r: r[:1]),
    "modify": (lambda q: number(q.modify(set__t="X")), first, lambda r: r[:1]),
    "modify new": (
        lambda q: getattr(q.modify(new=True, set__t="X"), "t", None),
        lambda r: "X" if r else None,
        lambda r: r[:1],
    ),
    "modify as_pymongo": (
        lambda q: (q.as_pymongo().modify(set__t="X") or {}).get("n"),
        first,
        lambda r: r[:1],
    ),
    "modify scalar": (lambda q: q.scalar("n").modify(set__t="X"), first, lambda r: r[:1]),
}
REMOVES: dict[str, tuple[Any, Any, Any]] = {
    "delete": (lambda q: q.delete(), len, lambda r: r),
    "scalar delete": (lambda q: q.scalar("n").delete(), len, lambda r: r),
    "modify remove": (lambda q: number(q.modify(remove=True)), first, lambda r: r[:1]),
}


def answer(call: Any, queryset: Any) -> Any:
    try:
        return call(queryset)
    except (DoesNotExist, MultipleObjectsReturned, IndexError) as error:
        return next(
            kind
            for kind in (DoesNotExist, MultipleObjectsReturned, IndexError)
            if isinstance(error, kind)
        )


def fill(collection: Any) -> None:
    collection.delete_many({})
    collection.insert_many([dict(row) for row in ROWS])


def stored(collection: Any) -> dict[int, str]:
    return {row["n"]: row["t"] for row in collection.find()}


def check(
    objects: Any, rows: Rows, collection: Any, names: tuple[str, str, str], calls: list[str]
) -> None:
    """Compare what the calls answer, and leave behind, with what lists would."""
    bound, order, option = names
    meant = BOUNDS[bound][1](ORDERS[order][1](rows))

    def made() -> Any:
        return OPTIONS[option](BOUNDS[bound][0](ORDERS[order][0](objects())))

    for name in calls:
        where = f"{' | '.join(names)} | {name}"
        if name in READS:
            call, expected = READS[name]
            assert answer(call, made()) == expected(meant), where
            continue
        call, expected, which = {**WRITES, **REMOVES}[name]
        left = {row["n"]: row["t"] for row in ROWS}
        for row in which(meant):
            left[row["n"]] = "X"
        if name in REMOVES:
            left = {n: t for n, t in left.items() if t != "X"}
        assert answer(call, made()) == expected(meant), where
        assert stored(collection) == left, where
        fill(collection)


STATES = list(itertools.product(BOUNDS, ORDERS, OPTIONS))
CALLS = [*READS, *WRITES, *REMOVES]


@pytest.fixture
def collection(connected: str) -> Any:
    StateDoc.ensure_indexes()
    found = get_db()["state_doc"]
    fill(found)
    return found


def test_every_call_in_every_state(connected: str, collection: Any) -> None:
    chance = random.Random(1)
    share = 6 if connected == "docstore://:memory:" else 2
    for names in STATES:
        check(lambda: StateDoc.objects, ROWS, collection, names, chance.sample(CALLS, share))
    for bound in BOUNDS:
        check(lambda: StateDoc.objects, ROWS, collection, (bound, "-n", "plain"), CALLS)


def test_every_call_through_another_manager(connected: str, collection: Any) -> None:
    even = [row for row in ROWS if row["n"] in (0, 2, 4)]
    for bound, order in itertools.product(BOUNDS, ORDERS):
        calls = random.Random(bound + order).sample(CALLS, 6)
        check(lambda: StateDoc.even, even, collection, (bound, order, "plain"), calls)


def test_a_manager_that_hides_documents_does_not_hide_them_from_others(connected: str) -> None:
    collection = get_db()["state_filtered"]
    fill(collection)
    for bound, order in itertools.product(BOUNDS, ORDERS):
        check(
            lambda: StateFiltered.everything,
            ROWS,
            collection,
            (bound, order, "plain"),
            [*WRITES, *REMOVES],
        )
    StateFiltered.everything(n=2).upsert_one(set__t="X")
    assert stored(collection)[2] == "X"
    assert StateFiltered.everything(n=77).upsert_one(set__t="new").n == 77


@pytest.fixture
def elsewhere(connected: str) -> Any:
    connect("states_elsewhere", alias="elsewhere", host="docstore://:memory:")
    yield get_db("elsewhere")["state_doc"]
    disconnect("elsewhere")


def test_every_call_on_another_connection(connected: str, collection: Any, elsewhere: Any) -> None:
    here = stored(collection)
    fill(elsewhere)
    elsewhere.create_index("n")
    for names in random.Random(2).sample(STATES, 100):
        calls = random.Random(str(names)).sample(CALLS, 6)
        check(lambda: StateDoc.objects.using("elsewhere"), ROWS, elsewhere, names, calls)
    assert stored(collection) == here


def test_documents_of_another_connection_stay_there(
    connected: str, collection: Any, elsewhere: Any
) -> None:
    fill(elsewhere)
    here = stored(collection)
    there = StateDoc.objects.using("elsewhere")
    found = there.get(n=1)
    found.t = "changed"
    found.save()
    made = there.upsert_one(set__t="made") and there.filter(n=10).upsert_one(set__t="made")
    assert made.n == 10
    made.t = "again"
    made.save()
    new = StateDoc(n=11)
    there.insert(new)
    new.t = "more"
    new.save()
    document, created = there.update_or_create(n=12, defaults={"t": "x"})
    assert created
    document, created = there.update_or_create(n=12, defaults={"t": "y"})
    assert not created
    in_bulk = there.in_bulk([ROWS[2]["_id"]])[ROWS[2]["_id"]]
    in_bulk.t = "bulk"
    in_bulk.save()
    assert stored(collection) == here
    assert stored(elsewhere) == {
        0: "made", 1: "changed", 2: "bulk", 3: "b", 4: "a", 5: "b",
        10: "again", 11: "more", 12: "y",
    }  # fmt: skip


def test_count_without_the_bounds(connected: str, collection: Any) -> None:
    # MongoEngine's: the bounds count only if they are asked for, and nothing is nothing
    counts = {bound: how(StateDoc.objects).count() for bound, (how, _) in BOUNDS.items()}
    empty = {"none", "limit(0)", "[2:2]", "[:2][3:]"}
    assert counts == {bound: 0 if bound in empty else 6 for bound in BOUNDS}
    assert StateDoc.objects.skip(4).count(True) == 2
    assert StateDoc.objects.skip(4).count(with_limit_and_skip=True) == 2


def test_an_upsert_of_a_part(connected: str, collection: Any) -> None:
    none = StateDoc.objects.none()
    assert none.update(upsert=True, set__t="X") == 0 and none.update_one(upsert=True, n=7) == 0
    assert none.upsert_one(n=7) is None and none.modify(upsert=True, n=7) is None
    assert none.update(upsert=True, set__t="X", full_result=True).matched_count == 0
    assert stored(collection) == {row["n"]: row["t"] for row in ROWS}
    assert StateDoc.objects(n__gte=2)[:2].update(upsert=True, set__t="X") == 2
    assert StateDoc.objects(n=50)[:2].update(upsert=True, set__t="X") == 1
    assert StateDoc.objects(n=60).order_by("-n").update_one(upsert=True, set__t="X") == 1
    assert stored(collection) == {
        0: "a", 1: "b", 2: "X", 3: "X", 4: "a", 5: "b", 50: "X", 60: "X",
    }  # fmt: skip
    for call in ("update", "update_one", "upsert_one", "modify"):
        named = {} if call == "upsert_one" else {"upsert": True}
        with pytest.raises(InvalidQueryError, match="skip"):
            getattr(StateDoc.objects(n=70).skip(1), call)(set__t="X", **named)
    assert 70 not in stored(collection)


def test_upsert_one_returns_the_document_that_it_changed(connected: str, collection: Any) -> None:
    found = StateDoc.objects(t="a").order_by("-n").upsert_one(set__t="X")
    assert (found.n, found.t) == (4, "X")  # though it matches no longer


def test_in_bulk_of_a_part_is_refused(connected: str, collection: Any) -> None:
    ids = [ROWS[0]["_id"], ROWS[1]["_id"]]
    assert set(StateDoc.objects(n__gte=1).in_bulk(ids)) == {ids[1]}
    assert StateDoc.objects.none().in_bulk(ids) == {}
    with pytest.raises(InvalidQueryError):
        StateDoc.objects[:3].in_bulk(ids)


def test_positional_updates_of_a_part(connected: str, collection: Any) -> None:
    assert StateDoc.objects(tags="x").order_by("-n")[:2].update(set__tags__S="z") == 2
    assert {row["n"] for row in collection.find({"tags": "z"})} == {4, 5}


def test_large_parts_are_changed_in_steps(connected: str, monkeypatch: Any) -> None:
    from mongodb.queryset import writing

    monkeypatch.setattr(writing, "_KEYS_AT_ONCE", 3)
    collection = get_db()["state_doc"]
    fill(collection)
    assert StateDoc.objects.skip(1).update(set__t="X") == 5
    assert stored(collection) == {0: "a", 1: "X", 2: "X", 3: "X", 4: "X", 5: "X"}
    assert StateDoc.objects[:5].update(set__t="Y", full_result=True).modified_count == 5
    assert StateDoc.objects[:4].delete() == 4
    assert stored(collection) == {4: "Y", 5: "X"}


def test_a_key_that_is_null_is_a_key(connected: str) -> None:
    collection = get_db()["state_doc"]
    collection.delete_many({})
    collection.insert_many([{"_id": None, "n": 1}, {"_id": "b", "n": 2}])
    assert StateDoc.objects.order_by("n")[:1].delete() == 1
    assert [row["_id"] for row in collection.find()] == ["b"]


def test_what_no_longer_matches_is_left_alone(connected: str, collection: Any) -> None:
    """Between the question for ids and the change somebody else may change documents."""

    class Slow(type(StateDoc.objects)):  # type: ignore[misc]
        def _keys(self) -> list[Any]:
            found = super()._keys()
            collection.update_one({"n": 0}, {"$set": {"t": "b"}})
            return list(found)

    queryset = Slow(StateDoc)
    assert queryset.filter(t="a")[:2].update(set__t="X") == 1
    assert queryset.filter(t="a")[:2].delete() == 1
    assert stored(collection) == {0: "b", 1: "b", 2: "X", 3: "b", 5: "b"}


def test_writes_send_the_options(mongod: str, monkeypatch: Any) -> None:
    connect("states_options", host=mongod)
    try:
        collection = get_db()["state_doc"]
        fill(collection)
        collection.insert_one({"_id": ObjectId(), "n": 9, "t": "A"})
        anycase = StateDoc.objects.collation({"locale": "en", "strength": 2})
        assert anycase(t="A").update(set__tags=["all"]) == 4
        assert anycase(t="A").order_by("-n")[:2].update(set__tags=["two"]) == 2
        assert anycase(t="A").order_by("-n").update_one(set__tags=["one"]) == 1
        assert {row["n"] for row in collection.find({"tags": "two"})} == {4}
        assert anycase(t="A").order_by("n").modify(set__tags=["first"]).n == 0
        assert anycase(t="A").order_by("-n").modify(remove=True).n == 9
        assert anycase(t="A").delete() == 3
        assert set(stored(collection)) == {1, 3, 5}
        for call in (
            lambda q: q.update(set__t="X"),
            lambda q: q[:1].update(set__t="X"),
            lambda q: q.update_one(set__t="X"),
            lambda q: q.upsert_one(set__t="X"),
            lambda q: q.modify(set__t="X"),
            lambda q: q.skip(1).modify(set__t="X"),
            lambda q: q.delete(),
            lambda q: q[:1].delete(),
            lambda q: q.count(),
            lambda q: q.distinct("t"),
            lambda q: q.sum("n"),
            lambda q: q.first(),
        ):
            with pytest.raises(Exception, match=r"[Hh]int"):
                call(StateDoc.objects.hint("no such index"))
        assert set(stored(collection)) == {1, 3, 5}
    finally:
        get_db().client.drop_database("states_options")
        disconnect()


def test_a_collation_does_not_reach_ids_beyond_the_part(mongod: str) -> None:
    connect("states_options", host=mongod)
    try:
        StateNamed(key="b", t="x").save()
        StateNamed(key="B", t="x").save()
        anycase = StateNamed.objects(t="X").collation({"locale": "en", "strength": 2})
        assert anycase.order_by("t")[:1].update(set__t="y") == 1
        assert anycase.order_by("t")[:1].delete() == 1
        assert [one.t for one in StateNamed.objects] == ["y"]
    finally:
        get_db().client.drop_database("states_options")
        disconnect()


def test_comments_and_time_limits_are_sent(monkeypatch: Any) -> None:
    handle = connect("states_sent", host="docstore://:memory:")
    try:
        StateDoc(n=1).save()
        StateDoc(n=2).save()
        sent: list[dict[str, Any]] = []
        run, cursor = handle.run, handle.cursor
        monkeypatch.setattr(handle, "run", lambda c: sent.append(c) or run(c))
        monkeypatch.setattr(handle, "cursor", lambda c, n=0: sent.append(c) or cursor(c, n))
        for call in (
            lambda q: q.update(set__t="X"),
            lambda q: q.upsert_one(set__t="X"),
            lambda q: q.modify(set__t="X"),
            lambda q: q[1:].delete(),
            lambda q: q.delete(),
            lambda q: q.count(),
            lambda q: q.exists(),
            lambda q: q.distinct("t"),
            lambda q: q.average("n"),
            lambda q: list(q.aggregate([])),
            lambda q: q.last(),
        ):
            call(StateDoc.objects.comment("why").max_time_ms(50000))
        assert len(sent) == 12
        assert all((c["comment"], c["maxTimeMS"]) == ("why", 50000) for c in sent)
    finally:
        disconnect()


def test_bounds_are_numbers() -> None:
    for bad in (-1, True - 2):
        with pytest.raises(InvalidQueryError):
            StateDoc.objects.limit(bad)
        with pytest.raises(InvalidQueryError):
            StateDoc.objects.skip(bad)
        with pytest.raises(InvalidQueryError):
            StateDoc.objects[:bad]
    for wrong in ("2", 2.5):
        with pytest.raises(TypeError):
            StateDoc.objects.limit(wrong)
        with pytest.raises(TypeError):
            StateDoc.objects.skip(wrong)
    with pytest.raises(InvalidQueryError):
        StateDoc.objects[::2]
