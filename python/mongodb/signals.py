# SPDX-License-Identifier: Apache-2.0
"""Signals that documents send. The sender is the class; receivers get `document=`."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from mongodb import _core

__all__ = [
    "ANY",
    "Namespace",
    "Signal",
    "post_bulk_insert",
    "post_delete",
    "post_init",
    "post_save",
    "pre_bulk_insert",
    "pre_delete",
    "pre_init",
    "pre_save",
    "pre_save_post_validation",
    "signals_available",
]

signals_available = True
Receiver = Callable[..., Any]


class _Any:
    def __repr__(self) -> str:
        return "ANY"


ANY: Any = _Any()


# Held to change a list of receivers; a forked child has no thread that would give it back.
_lock = threading.Lock()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class Signal:
    """A list of receivers. `connect` works as a call and as a decorator."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        # (reference to the receiver, sender or ANY); the tuple is replaced, never changed
        self._entries: tuple[tuple[Callable[[], Receiver | None], Any], ...] = ()

    def connect(
        self, receiver: Receiver | None = None, sender: Any = ANY, weak: bool = True
    ) -> Any:
        """Call `receiver(sender, document=..., ...)` from now on; for one sender or for any.

        As with Django's signals the receiver is held weakly unless `weak=False`.
        """
        if receiver is None:
            return lambda function: self.connect(function, sender, weak)
        self.disconnect(receiver, sender)
        with _lock:
            self._entries = (*self._entries, (self._hold(receiver, weak), sender))
        self._changed()
        return receiver

    def _changed(self) -> None:
        """Runs after receivers came or went."""

    def connect_via(self, sender: Any, weak: bool = True) -> Callable[[Receiver], Receiver]:
        """Connect the decorated function for one sender."""
        return lambda receiver: self.connect(receiver, sender, weak)

    def _hold(self, receiver: Receiver, weak: bool) -> Callable[[], Receiver | None]:
        if not weak:
            return lambda: receiver
        kind = weakref.WeakMethod if hasattr(receiver, "__self__") else weakref.ref
        try:
            return kind(receiver, self._drop)
        except TypeError:
            return lambda: receiver

    def _drop(self, reference: Any) -> None:
        self._entries = tuple(entry for entry in self._entries if entry[0] is not reference)

    def disconnect(self, receiver: Receiver, sender: Any = ANY) -> None:
        """Stop calling the receiver; nothing happens if it is not connected."""
        with _lock:
            self._entries = tuple(
                entry
                for entry in self._entries
                if not (entry[0]() == receiver and (sender is ANY or entry[1] is sender))
            )
        self._changed()

    def receivers_for(self, sender: Any) -> Iterator[Receiver]:
        """Yield the receivers that a signal of this sender reaches."""
        for reference, wanted in self._entries:
            if wanted is ANY or wanted is sender:
                receiver = reference()
                if receiver is not None:
                    yield receiver

    def has_receivers_for(self, sender: Any) -> bool:
        """Tell whether anybody would be called."""
        return any(True for _ in self.receivers_for(sender))

    @property
    def receivers(self) -> dict[int, Receiver]:
        """Return the connected receivers."""
        found = [entry[0]() for entry in self._entries]
        return {id(receiver): receiver for receiver in found if receiver is not None}

    def send(self, *sender: Any, **kwargs: Any) -> list[tuple[Receiver, Any]]:
        """Call every receiver; an exception of one ends the sending."""
        if not self._entries:
            return []
        who = sender[0] if sender else None
        return [(receiver, receiver(who, **kwargs)) for receiver in self.receivers_for(who)]

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __repr__(self) -> str:
        return f"<Signal {self.name}>"


class Namespace(dict[str, Signal]):
    """Signals of a project's own, by name."""

    def signal(self, name: str, doc: str | None = None) -> Signal:
        """Return the signal of that name, the same each time."""
        if name not in self:
            self[name] = Signal(name)
            if doc:
                self[name].__doc__ = doc
        return self[name]


class InitSignal(Signal):
    """Sent by constructors; loaded documents run theirs only while somebody listens."""

    def _changed(self) -> None:
        _core.init_signals(bool(pre_init) or bool(post_init))


pre_init = InitSignal("pre_init")
post_init = InitSignal("post_init")
pre_save = Signal("pre_save")
pre_save_post_validation = Signal("pre_save_post_validation")
post_save = Signal("post_save")
pre_delete = Signal("pre_delete")
post_delete = Signal("post_delete")
pre_bulk_insert = Signal("pre_bulk_insert")
post_bulk_insert = Signal("post_bulk_insert")
