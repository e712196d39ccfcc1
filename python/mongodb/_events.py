# SPDX-License-Identifier: Apache-2.0
"""PyMongo's command events for what a connection of ours sends."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mongodb._command_log import log_slow, wants_commands
from mongodb.errors import NotSupportedError, from_error

__all__ = ["check_listeners", "monitor_for"]

_STARTED, _SUCCEEDED = 0, 1  # ds_event_kind
_OTHERS = (
    "ServerHeartbeatListener", "ServerListener", "TopologyListener", "ConnectionPoolListener",
)  # fmt: skip


def check_listeners(listeners: Any) -> None:
    """Refuse what is no listener, and listeners of what a connection has no events of."""
    from pymongo import monitoring

    if not isinstance(listeners, Sequence):
        raise TypeError(f"event_listeners is a list of CommandListener objects, not {listeners!r}")
    for one in listeners:
        for kind in _OTHERS:
            if isinstance(one, getattr(monitoring, kind)):
                raise NotSupportedError(
                    f"event_listeners: {type(one).__name__} is a {kind}, which would hear nothing "
                    "of what documents do; give it to a MongoClient of your own"
                )
        if not isinstance(one, monitoring.CommandListener):
            raise TypeError(f"event_listeners: {one!r} is no CommandListener")


def monitor_for(
    listeners: Sequence[Any] | None, address: str | None, slow_ms: float | None = None
) -> dict[str, Any]:
    """Return the arguments of a `_core.Client` that is heard; none when nobody listens.

    Those registered for all of PyMongo's clients (`pymongo.monitoring.register`) listen too.
    `address` stands for the server where there is none. `slow_ms`: what the log warns of.
    """
    monitoring = sys.modules.get("pymongo.monitoring")
    known = monitoring._LISTENERS.command_listeners if monitoring is not None else ()
    heard = [*known, *(listeners or ())]
    every = wants_commands()
    if every or (heard and slow_ms is not None):
        from mongodb.monitoring import CommandLog

        heard.append(CommandLog(slow_ms, every))
    if heard:
        return {"monitor": _Monitor(heard, address)}
    if slow_ms is not None:
        return {"monitor": log_slow, "slow_us": int(slow_ms * 1000)}
    return {}


class _Monitor:
    """Called by the core with each step of each command, in the thread that runs it."""

    def __init__(self, listeners: list[Any], address: str | None) -> None:
        self._listeners = listeners
        self._address = address
        self._ids = itertools.count(1)
        self._threads = threading.local()

    def __call__(
        self,
        kind: int,
        name: str,
        db: str | None,
        body: dict[str, Any] | None,
        host: str | None,
        port: int,
        micros: int,
        error: tuple[int, str, str] | None,
    ) -> None:
        from pymongo.monitoring import (
            CommandFailedEvent,
            CommandStartedEvent,
            CommandSucceededEvent,
        )

        # A listener may run commands: those of a thread end in reverse.
        running = self._threads.__dict__.setdefault("running", [])
        address: Any = (self._address, None) if host is None else (host, port or None)
        if kind == _STARTED:
            number = next(self._ids)
            running.append((number, db))
            command = {**(body or {name: 1}), "$db": db}
            started = CommandStartedEvent(command, db or "", number, address, number)
            self._publish(lambda one: one.started(started))
            return
        number, db = running.pop()
        took = datetime.timedelta(microseconds=micros)
        about = (name, number, address, number)
        if kind == _SUCCEEDED:
            succeeded = CommandSucceededEvent(took, body or {}, *about, database_name=db)
            self._publish(lambda one: one.succeeded(succeeded))
            return
        if body is None and error is not None:
            why = from_error(*error)
            body = {"errmsg": str(why), "errtype": type(why).__name__}
        failed = CommandFailedEvent(took, body or {}, *about, database_name=db)
        self._publish(lambda one: one.failed(failed))

    def _publish(self, call: Callable[[Any], None]) -> None:
        for one in self._listeners:
            with _printed():
                call(one)


@contextlib.contextmanager
def _printed() -> Iterator[None]:
    """Print what a listener raises, as PyMongo does: the command goes on."""
    try:
        yield
    except Exception:
        if sys.stderr:
            with contextlib.suppress(OSError):
                traceback.print_exc(file=sys.stderr)
