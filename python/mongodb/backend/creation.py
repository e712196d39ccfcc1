# SPDX-License-Identifier: Apache-2.0
"""Test databases."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from typing import Any

from django.db.backends.base.creation import TEST_DATABASE_PREFIX, BaseDatabaseCreation

from mongodb.connection import disconnect, models_stores

__all__ = ["DatabaseCreation"]


class DatabaseCreation(BaseDatabaseCreation):
    """A test run has a store of its own: in memory for the embedded one, `test_…` on a server.

    `--parallel` gives each process a copy: a file for the embedded store.
    """

    def is_embedded(self) -> bool:
        """Whether the settings name an embedded store."""
        settings: Any = self.connection.settings_dict
        name, host = str(settings["NAME"]), settings["HOST"] or ""
        return "docstore://" in (name + host) or not ("://" in name or host)

    def _get_test_db_name(self) -> str:
        named = self.connection.settings_dict["TEST"]["NAME"]
        if named:
            return str(named)
        if self.is_embedded():
            return ":memory:"
        return TEST_DATABASE_PREFIX + str(self.connection.settings_dict["NAME"])

    def _create_test_db(self, verbosity: int, autoclobber: bool, keepdb: bool = False) -> str:
        name = self._get_test_db_name()
        connection: Any = self.connection
        if self.is_embedded():
            if name != ":memory:" and not keepdb:
                _remove(name)
            own = str(connection.settings_dict["NAME"])
            if own != ":memory:":  # documents of the file come along
                models_stores[os.path.realpath(_path(own))] = connection.alias
            return name
        connection.close()
        connection.settings_dict["NAME"] = name
        if not keepdb:
            connection.command({"dropDatabase": 1})
            connection.close()
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        connection: Any = self.connection
        if self.is_embedded():
            if test_database_name != ":memory:":
                _remove(test_database_name)
            folder = connection.settings_dict["TEST"].get("CLONES")
            if folder and test_database_name == connection.settings_dict["NAME"]:
                shutil.rmtree(folder, ignore_errors=True)
            return
        connection.settings_dict["NAME"] = test_database_name
        connection.command({"dropDatabase": 1})
        connection.close()

    def get_test_db_clone_settings(self, suffix: str) -> dict[str, Any]:
        settings: Any = self.connection.settings_dict
        if not self.is_embedded():
            return super().get_test_db_clone_settings(suffix)  # type: ignore[no-any-return]
        # the folder's name goes with the settings to the processes that ask for their copy
        folder = settings["TEST"].setdefault("CLONES", None) or tempfile.mkdtemp(prefix="tests-")
        settings["TEST"]["CLONES"] = folder
        name = pathlib.Path(folder, f"{self.connection.alias}_{suffix}.docstore")
        return {**settings, "NAME": str(name)}

    def _clone_test_db(self, suffix: str, verbosity: int, keepdb: bool = False) -> None:
        source: Any = self.connection
        alias = f"{source.alias} {suffix}"
        target = source.copy(alias=alias)
        target.settings_dict.update(self.get_test_db_clone_settings(suffix))
        if self.is_embedded():
            _remove(target.settings_dict["NAME"])
        else:
            target.command({"dropDatabase": 1})
        try:
            for one in source.documents({"listCollections": 1}):
                if not one["name"].startswith("system."):
                    _copy(source, target, one["name"], one.get("options", {}))
        finally:
            target.close()
            disconnect(f"django:{alias}")

    def test_db_signature(self) -> tuple[str, ...]:
        settings: Any = self.connection.settings_dict
        return (*super().test_db_signature(), str(settings["NAME"]))


def _copy(source: Any, target: Any, name: str, options: dict[str, Any]) -> None:
    target.command({"create": name, **options})
    if "viewOn" in options:
        return
    indexes = [
        {key: value for key, value in one.items() if key not in ("v", "ns")}
        for one in source.documents({"listIndexes": name})
        if one["name"] != "_id_"
    ]
    if indexes:
        target.command({"createIndexes": name, "indexes": indexes})
    documents = source.documents({"find": name})
    for at in range(0, len(documents), 1000):
        target.command({"insert": name, "documents": documents[at : at + 1000]})


def _path(name: str) -> pathlib.Path:
    path = pathlib.Path(name)
    return path.with_suffix(".docstore") if path.suffix == "" else path


def _remove(name: str) -> None:
    path = _path(name)
    for suffix in ("", "-wal", "-shm"):
        pathlib.Path(f"{path}{suffix}").unlink(missing_ok=True)
