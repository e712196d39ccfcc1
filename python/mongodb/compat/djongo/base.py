# SPDX-License-Identifier: Apache-2.0
"""`ENGINE = "djongo"`: Djongo's settings on this library's backend."""

from __future__ import annotations

from typing import Any

from mongodb.backend import base, dbapi
from mongodb.connection import shared_handle

__all__ = ["DatabaseWrapper"]


class _Unenforced(dbapi.Connection):
    """A connection whose collections' validators say what is known and refuse nothing."""

    def run(self, command: Any, **options: Any) -> dict[str, Any]:
        if command.get("validator"):
            command = {**command, "validationLevel": "off"}
        return super().run(command, **options)


class DatabaseWrapper(base.DatabaseWrapper):
    """`CLIENT` holds the server's or the embedded store's URI, the login and PyMongo's options;
    without `ENFORCE_SCHEMA` the store refuses no value."""

    def __init__(self, settings_dict: dict[str, Any], alias: str = "default") -> None:
        self.enforce_schema = bool(settings_dict.get("ENFORCE_SCHEMA", False))
        super().__init__(_translated(settings_dict), alias)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if self.enforce_schema:
            return super().get_new_connection(conn_params)
        options = conn_params.pop("options")
        return _Unenforced(shared_handle(self.alias, **conn_params, **options))


def _translated(settings: dict[str, Any]) -> dict[str, Any]:
    """Return Djongo's settings as Django's."""
    client = {key: one for key, one in (settings.get("CLIENT") or {}).items() if one is not None}
    host = client.pop("host", None) or settings.get("HOST") or "mongodb://localhost:27017"
    names = {"HOST": host, "PORT": client.pop("port", settings.get("PORT", "")),
             "USER": client.pop("username", settings.get("USER", "")),
             "PASSWORD": client.pop("password", settings.get("PASSWORD", ""))}  # fmt: skip
    if not names["USER"]:
        for login in ("authSource", "authMechanism"):
            client.pop(login, None)
    return {**settings, **names, "OPTIONS": {**(settings.get("OPTIONS") or {}), **client}}
