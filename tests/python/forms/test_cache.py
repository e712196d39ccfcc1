# SPDX-License-Identifier: Apache-2.0
"""The cache on documents does what Django's cache in memory does."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured

import mongodb
from mongodb.cache import DocumentCache

KEYS = ["a", "b", "c", "d e"]
VALUES: list[Any] = [0, 1, -7, 2**62, 2**70, True, None, 1.5, "x", b"y", [1, {"k": "v"}], {3: 4}]


@pytest.fixture
def make(store_uri: str) -> Iterator[Callable[..., DocumentCache]]:
    mongodb.connect(host=store_uri, db="caches", alias="caches")

    def made(**params: Any) -> DocumentCache:
        options = {"DB_ALIAS": "caches", **params.pop("OPTIONS", {})}
        return DocumentCache(f"cache_{uuid.uuid4().hex}", {"OPTIONS": options, **params})

    yield made
    mongodb.disconnect("caches")


def outcome(cache: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    try:
        return getattr(cache, name)(*args, **kwargs)
    except (TypeError, ValueError) as error:
        return type(error)


def step(chance: random.Random) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    key, value, version = chance.choice(KEYS), chance.choice(VALUES), chance.choice([None, None, 2])
    timeout = chance.choice([None, 300, 300, 0, -1, 10**13])
    some = chance.sample(KEYS, 2)
    calls: list[tuple[Any, ...]] = [
        ("set", key, value, timeout), ("add", key, value, timeout), ("get", key, "none"),
        ("delete", key), ("has_key", key), ("touch", key, timeout), ("get_many", some),
        ("set_many", dict.fromkeys(some, value), timeout), ("delete_many", some),
        ("incr", key, chance.choice([1, -3, 2**62])), ("decr", key), ("get", key),
        ("get_or_set", key, value, 300), ("incr_version", key),
    ]  # fmt: skip
    name, *args = chance.choice(calls)
    return name, tuple(args), {} if version is None else {"version": version}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_any_calls_give_what_the_cache_in_memory_gives(make: Any, seed: int) -> None:
    chance = random.Random(seed)
    ours, theirs = make(), LocMemCache(uuid.uuid4().hex, {})
    for _ in range(250):
        name, args, kwargs = step(chance)
        if name == "delete":
            theirs.get(args[0], **kwargs)  # it counts what is over, until somebody looks
        expected = outcome(theirs, name, *args, **kwargs)
        got = outcome(ours, name, *args, **kwargs)
        assert got == expected and type(got) is type(expected), (name, args, kwargs)
    ours.clear()
    assert ours.get_many(KEYS) == {}


def test_additions_of_many_threads_are_not_lost(make: Any) -> None:
    cache = make()
    cache.set("n", 0)
    won = []

    def work(number: int) -> None:
        for _ in range(25):
            cache.incr("n")
        if cache.add("first", number):
            won.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert cache.get("n") == 100
    assert len(won) == 1 and cache.get("first") == won[0]


def test_an_addition_to_a_float_waits_for_no_lock_and_loses_none(make: Any) -> None:
    cache = make()
    cache.set("x", 1.5)

    def packed(value: Any) -> Any:  # somebody is faster, once
        del cache._packed
        cache.set("x", 10.5)
        return cache._packed(value)

    cache._packed = packed
    assert cache.incr("x") == 11.5
    assert cache.get("x") == 11.5


def test_what_is_over_is_not_there(make: Any) -> None:
    cache = make(TIMEOUT=-1)
    cache.set("a", 1)
    assert cache.get("a") is None and not cache.has_key("a") and not cache.delete("a")
    assert cache.add("a", 2, 300) and cache.get("a") == 2
    assert not cache.add("a", 3, 300)
    with pytest.raises(ValueError, match="Key 'b' not found"):
        cache.incr("b")


def test_culling(make: Any) -> None:
    cache = make(OPTIONS={"MAX_ENTRIES": 30, "CULL_FREQUENCY": 3})
    for at in range(31):
        cache.set(f"k{at:02}", at)
    assert sum(cache.has_key(f"k{at:02}") for at in range(31)) == 21
    empty = make(OPTIONS={"MAX_ENTRIES": 5, "CULL_FREQUENCY": 0})
    for at in range(6):
        empty.set(f"k{at}", at)
    assert not any(empty.has_key(f"k{at}") for at in range(6))
    roomy = make(OPTIONS={"MAX_ENTRIES": 5})
    for at in range(5):
        roomy.set(f"old{at}", at, -1)
    roomy.set("new", 1)
    assert roomy.get("new") == 1


def test_prefixes_and_unknown_options(make: Any) -> None:
    cache = make(KEY_PREFIX="p", VERSION=3)
    cache.set("a", 1)
    handle = mongodb.get_db("caches")
    assert [one["_id"] for one in handle[cache._collection].find()] == ["p:3:a"]
    assert list(handle[cache._collection].index_information()) == ["_id_", "e_1"]
    with pytest.raises(ImproperlyConfigured, match="has no option MAX_ENTRYS"):
        make(OPTIONS={"MAX_ENTRYS": 3})


def test_a_number_of_another_kind_is_added_to_beside_others(make: Any) -> None:
    cache = make()
    cache.set_many({"a": 1, "b": 5, "half": 1.5, "text": "x"})
    assert (cache.incr("b"), cache.incr("half"), cache.incr("b", 2**70)) == (6, 2.5, 6 + 2**70)
    assert (cache.get("a"), cache.get("half")) == (1, 2.5)
    with pytest.raises(TypeError):
        cache.incr("text")


def test_a_part_of_less_than_one_makes_no_room(make: Any) -> None:
    cache = make(OPTIONS={"MAX_ENTRIES": 2, "CULL_FREQUENCY": 10})
    for key in "abcd":
        cache.set(key, 1)
    assert set(cache.get_many("abcd")) == set("abcd")
