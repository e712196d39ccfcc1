# SPDX-License-Identifier: Apache-2.0
"""Django's sessions on documents."""

import asyncio
import datetime
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.test import override_settings

import mongodb


@pytest.fixture
def sessions(store_uri: str) -> Iterator[Any]:
    with override_settings(SESSION_DB_ALIAS="visitors"):
        module = importlib.import_module("mongodb.sessions")
        mongodb.connect(host=store_uri, db="visitors", alias="visitors")
        with mongodb.context_managers.switch_db(module.SessionDocument, "visitors"):
            module.SessionDocument.drop_collection()
            yield module
    mongodb.disconnect("visitors")


def test_values_are_kept_under_a_new_key(sessions: Any) -> None:
    one = sessions.SessionStore()
    assert one.is_empty() and one.get("cart") is None
    one["cart"] = {"a": 1}
    one.save()
    again = sessions.SessionStore(one.session_key)
    assert again["cart"] == {"a": 1} and again.exists(one.session_key)
    again["cart"]["a"] = 2
    again.save()
    assert sessions.SessionStore(one.session_key)["cart"] == {"a": 2}
    stored = sessions.SessionDocument.objects.get()
    assert stored.get_decoded() == {"cart": {"a": 2}} and stored.pk == one.session_key


def test_a_key_is_taken_once_and_a_gone_session_is_not_made_again(sessions: Any) -> None:
    one = sessions.SessionStore()
    one["a"] = 1
    one.create()
    twin = sessions.SessionStore(one.session_key)
    with pytest.raises(CreateError):
        twin.save(must_create=True)
    one.delete()
    assert not one.exists(one.session_key)
    with pytest.raises(UpdateError):
        one.save()
    assert sessions.SessionDocument.objects.count() == 0


def test_what_is_over_is_not_loaded_and_is_cleared(sessions: Any) -> None:
    one, other = sessions.SessionStore(), sessions.SessionStore()
    for each in (one, other):
        each["a"] = 1
        each.save()
    one.set_expiry(-10)
    one.save()
    old = sessions.SessionStore(one.session_key)
    assert old.get("a") is None and old.session_key is None
    sessions.SessionStore.clear_expired()
    assert sessions.SessionDocument.objects.scalar("pk")[0] == other.session_key
    other.set_expiry(100)
    other.save()
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    left = sessions.SessionDocument.objects.get().expire_date - now
    assert datetime.timedelta(seconds=60) < left <= datetime.timedelta(seconds=100)


def test_a_new_key_keeps_the_values_and_flush_drops_them(sessions: Any) -> None:
    one = sessions.SessionStore()
    one["a"] = 1
    one.save()
    before = one.session_key
    one.cycle_key()
    assert one.session_key != before and one["a"] == 1 and not one.exists(before)
    one.flush()
    assert sessions.SessionDocument.objects.count() == 0 and one.session_key is None


def test_tampered_data_is_an_empty_session(sessions: Any) -> None:
    one = sessions.SessionStore()
    one["a"] = 1
    one.save()
    sessions.SessionDocument.objects(pk=one.session_key).update(session_data="nonsense")
    assert sessions.SessionStore(one.session_key).get("a") is None


def test_sessions_wait_in_a_thread(sessions: Any) -> None:
    async def visit() -> Any:
        one = sessions.SessionStore()
        await one.aset("a", 1)
        await one.asave()
        await sessions.SessionStore.aclear_expired()
        return await sessions.SessionStore(one.session_key).aget("a")

    assert asyncio.run(visit()) == 1
