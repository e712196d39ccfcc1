# SPDX-License-Identifier: Apache-2.0
"""A panel for django-debug-toolbar: the commands of a request.

    DEBUG_TOOLBAR_PANELS = [..., "mongodb.panels.MongoDBPanel"]

It hears documents, Django's models in `mongodb.backend`, and clients of PyMongo.
"""

from __future__ import annotations

import collections
import contextvars
import json
from typing import Any

from debug_toolbar.panels import Panel
from django.utils.html import format_html, format_html_join
from pymongo import monitoring

from mongodb._command_log import collection_of, shape

__all__ = ["MongoDBPanel"]

_request: contextvars.ContextVar[list[dict[str, Any]] | None] = contextvars.ContextVar(
    "mongodb_panel", default=None
)


class _Recorder(monitoring.CommandListener):
    def started(self, event: Any) -> None:
        heard = _request.get()
        if heard is not None:
            place = filter(None, (event.database_name, collection_of(event.command)))
            text = json.dumps(shape(event.command), default=str, ensure_ascii=False)
            heard.append({"id": event.request_id, "name": event.command_name, "shape": text,
                          "place": ".".join(place), "ms": None,
                          "failure": ""})  # fmt: skip

    def succeeded(self, event: Any) -> None:
        self._ended(event, "")

    def failed(self, event: Any) -> None:
        failure = event.failure
        self._ended(event, failure.get("errmsg", "") if isinstance(failure, dict) else str(failure))

    def _ended(self, event: Any, failure: str) -> None:
        for one in reversed(_request.get() or ()):
            if one["id"] == event.request_id and one["ms"] is None:
                one.update(ms=event.duration_micros / 1000, failure=failure)
                return


monitoring.register(_Recorder())  # before the connections open: AppConfig.ready() imports this


class MongoDBPanel(Panel):
    """Each command with its shape, its time, and how often one of its shape ran."""

    title = nav_title = "MongoDB"
    is_async = True

    @property
    def nav_subtitle(self) -> str:
        """How many, and how long."""
        found = self.get_stats().get("commands", [])
        return f"{len(found)} commands in {sum(one['ms'] or 0 for one in found):.2f} ms"

    def enable_instrumentation(self) -> None:
        """Listen to this request."""
        self._heard: list[dict[str, Any]] = []
        _request.set(self._heard)

    def disable_instrumentation(self) -> None:
        """Listen no more."""
        _request.set(None)

    def generate_stats(self, request: Any, response: Any) -> None:
        """Keep what was heard."""
        self.record_stats({"commands": [dict(one) for one in self._heard]})

    @property
    def content(self) -> str:
        """The table."""
        found = self.get_stats().get("commands", [])
        times = collections.Counter((c["name"], c["place"], c["shape"]) for c in found)
        rows = format_html_join(
            "\n",
            "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            (
                (
                    c["name"], c["place"], f"{c['shape']} {c['failure']}",
                    "" if c["ms"] is None else f"{c['ms']:.2f}",
                    times[c["name"], c["place"], c["shape"]],
                )
                for c in found
            ),
        )  # fmt: skip
        head = "<th>Command</th><th>Collection</th><th>Shape</th><th>ms</th><th>Alike</th>"
        return format_html(
            f"<table><thead><tr>{head}</tr></thead><tbody>{{}}</tbody></table>", rows
        )
