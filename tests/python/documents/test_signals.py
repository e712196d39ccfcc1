# SPDX-License-Identifier: Apache-2.0
"""Who hears a signal, and for how long."""

import gc
from typing import Any

import pytest

from mongodb import Document, signals
from mongodb.fields import StringField
from mongodb.signals import Signal


def test_receivers_hear_every_sender_or_one() -> None:
    signal, heard = Signal("news"), []

    def any_sender(sender: Any, **kwargs: Any) -> str:
        heard.append(("any", sender, kwargs))
        return "any"

    def one_sender(sender: Any, **kwargs: Any) -> str:
        heard.append(("one", sender, kwargs))
        return "one"

    assert signal.send(int, n=1) == [] and not signal and repr(signal) == "<Signal news>"
    assert signal.connect(any_sender) is any_sender
    signal.connect(one_sender, sender=int)
    assert signal.send(int, n=1) == [(any_sender, "any"), (one_sender, "one")]
    assert signal.send(str) == [(any_sender, "any")]
    assert signal.send() == [(any_sender, "any")]
    assert heard == [("any", int, {"n": 1}), ("one", int, {"n": 1}), ("any", str, {}),
                     ("any", None, {})]  # fmt: skip
    assert signal.receivers == {id(any_sender): any_sender, id(one_sender): one_sender}
    assert signal and signal.has_receivers_for(str)
    signal.disconnect(any_sender)
    assert signal.has_receivers_for(int) and not signal.has_receivers_for(str)
    signal.disconnect(any_sender)
    signal.disconnect(one_sender, sender=str)
    assert signal.has_receivers_for(int)
    signal.disconnect(one_sender)
    assert not signal


def test_a_receiver_that_is_connected_twice_hears_once() -> None:
    signal, heard = Signal(), []

    def receiver(sender: Any) -> None:
        heard.append(sender)

    for sender in (int, int, str):
        signal.connect(receiver, sender=sender)
    signal.send(int)
    signal.send(str)
    assert heard == [int, str]
    signal.connect(receiver)
    signal.send(int)
    assert heard == [int, str, int]


@pytest.mark.parametrize("weak", [True, False])
def test_receivers_are_held_weakly_unless_told(weak: bool) -> None:
    signal, heard = Signal(), []

    class Listener:
        def hear(self, sender: Any) -> None:
            heard.append("method")

    def make() -> Any:
        def receiver(sender: Any) -> None:
            heard.append("function")

        return receiver

    listener, function = Listener(), make()
    signal.connect(listener.hear, weak=weak)
    signal.connect(function, weak=weak)
    signal.send()
    assert heard == ["method", "function"]
    del listener, function
    gc.collect()
    signal.send()
    assert len(heard) == (2 if weak else 4)
    assert bool(signal) is not weak


def test_decorators_connect() -> None:
    signal, heard = Signal(), []

    @signal.connect
    def first(sender: Any) -> None:
        heard.append("first")

    @signal.connect(sender=int)
    def second(sender: Any) -> None:
        heard.append("second")

    @signal.connect_via(str)
    def third(sender: Any) -> None:
        heard.append("third")

    signal.connect_via(bool, weak=False)(lambda sender: heard.append("kept"))
    gc.collect()
    for sender in (int, str, bool):
        signal.send(sender)
    assert heard == ["first", "second", "first", "third", "first", "kept"]
    signal.connect(print.__call__)  # what cannot be held weakly is held


def test_an_exception_of_a_receiver_ends_the_sending() -> None:
    signal, heard = Signal(), []

    def fails(sender: Any) -> None:
        raise ZeroDivisionError

    def receiver(sender: Any) -> None:
        heard.append(sender)

    signal.connect(fails)
    signal.connect(receiver)
    with pytest.raises(ZeroDivisionError):
        signal.send()
    assert heard == []


def test_constructors_are_told_of_while_somebody_listens(memory: None) -> None:
    class Told(Document):
        name = StringField()

    heard: list[Any] = []

    def before(sender: Any, document: Any, values: Any = None, **kwargs: Any) -> None:
        heard.append(("before", sender))

    def after(sender: Any, document: Any, **kwargs: Any) -> None:
        heard.append(("after", document.name))

    signals.pre_init.connect(before)
    signals.post_init.connect(after)
    try:
        Told(name="a").save()
        assert heard == [("before", Told), ("after", "a")]
        assert Told.objects.get().name == "a"
        assert heard[2:] == [("before", Told), ("after", "a")]
        signals.pre_init.disconnect(before)
        Told.objects.get()
        assert heard[4:] == [("after", "a")]
    finally:
        signals.pre_init.disconnect(before)
        signals.post_init.disconnect(after)
    Told.objects.get()
    assert len(heard) == 5
