# SPDX-License-Identifier: Apache-2.0
"""Test databases."""

from __future__ import annotations

import pathlib
from typing import Any

from django.db.backends.base.creation import TEST_DATABASE_PREFIX, BaseDatabaseCreation

__all__ = ["DatabaseCreation"]


class DatabaseCreation(BaseDatabaseCreation):
    """A test run has a store of its own: in memory for the embedded one, `test_…` on a server."""

    def _is_embedded(self) -> bool:
        settings: Any = self.connection.settings_dict
        name, host = str(settings["NAME"]), settings["HOST"] or ""
        return "docstore://" in (name + host) or not ("://" in name or host)

    def _get_test_db_name(self) -> str:
        named = self.connection.settings_dict["TEST"]["NAME"]
        if named:
            return str(named)
        if self._is_embedded():
            return ":memory:"
        return TEST_DATABASE_PREFIX + str(self.connection.settings_dict["NAME"])

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._get_test_db_name()
        connection: Any = self.connection
        if self._is_embedded():
            if name != ":memory:" and not keepdb:
                _remove(name)
            return name
        connection.close()
        connection.settings_dict["NAME"] = name
        if not keepdb:
            connection.command({"dropDatabase": 1})
            connection.close()
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        connection: Any = self.connection
        if self._is_embedded():
            if test_database_name != ":memory:":
                _remove(test_database_name)
            return
        connection.settings_dict["NAME"] = test_database_name
        connection.command({"dropDatabase": 1})
        connection.close()

    def test_db_signature(self) -> tuple[str, ...]:
        settings: Any = self.connection.settings_dict
        return (*super().test_db_signature(), str(settings["NAME"]))


def _remove(name: str) -> None:
    path = pathlib.Path(name)
    if path.suffix == "":
        path = path.with_suffix(".docstore")
    for suffix in ("", "-wal", "-shm"):
        pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
