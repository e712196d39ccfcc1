# SPDX-License-Identifier: Apache-2.0
"""What the log tells of commands: each one at DEBUG, slow ones as warnings.

The logger is `mongodb.commands`. A record has, beside its text, the attributes `command` (its
name), `database`, `collection`, `duration_ms` and `shape`. Values of filters and updates are never
in it: `?` stands for them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pymongo.monitoring import CommandListener

from mongodb._command_log import tell

__all__ = ["CommandLog"]


class CommandLog(CommandListener):
    """Logs commands: all of them at DEBUG (`every`), those of `slow_ms` and more as warnings.

    Connections have one when the logger is enabled for DEBUG as they open. A MongoClient of one's
    own takes it in its `event_listeners`.
    """

    def __init__(self, slow_ms: float | None = None, every: bool = True) -> None:
        self._slow_ms = slow_ms
        self._every = every
        self._begun: dict[int, Any] = {}

    def started(self, event: Any) -> None:
        """Remember the command until it ends."""
        self._begun[event.request_id] = event

    def succeeded(self, event: Any) -> None:
        """Log it."""
        reply = event.reply if isinstance(event.reply, Mapping) else {}
        cursor = reply.get("cursor")
        if isinstance(cursor, Mapping):
            batch = cursor.get("firstBatch", cursor.get("nextBatch", ()))
            self._ended(event, f"{len(batch)} documents")
        elif "nModified" in reply:
            self._ended(event, f"{reply.get('n')} matched, {reply['nModified']} changed")
        else:
            self._ended(event, f"n {reply['n']}" if "n" in reply else "")

    def failed(self, event: Any) -> None:
        """Log it, with the name of the error: messages may quote values."""
        failure = event.failure if isinstance(event.failure, Mapping) else {}
        name = failure.get("codeName") or failure.get("errtype") or type(event.failure).__name__
        self._ended(event, f"failed: {name} ({failure['code']})" if "code" in failure
                    else f"failed: {name}")  # fmt: skip

    def _ended(self, event: Any, result: str) -> None:
        begun = self._begun.pop(event.request_id, None)
        duration = event.duration_micros / 1000
        slow = self._slow_ms is not None and duration >= self._slow_ms
        if slow or self._every:
            tell(
                logging.WARNING if slow else logging.DEBUG, "slow: " if slow else "",
                event.command_name, getattr(begun, "database_name", None),
                getattr(begun, "command", None), duration,
                f"{result} in {duration:.1f} ms".strip(),
            )  # fmt: skip
