# SPDX-License-Identifier: Apache-2.0
"""`manage.py dbshell`."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterable
from typing import Any

from django.db.backends.base.client import BaseDatabaseClient

__all__ = ["DatabaseClient"]


class DatabaseClient(BaseDatabaseClient):
    """Runs mongosh; on the embedded store through a server of this process."""

    executable_name = "mongosh"

    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        host = settings_dict.get("HOST") or ""
        name = settings_dict.get("NAME") or ""
        args = [cls.executable_name]
        if "://" in host:
            args.append(host)
        else:
            port = settings_dict.get("PORT")
            args.append(f"mongodb://{host or 'localhost'}{f':{port}' if port else ''}/{name}")
            if settings_dict.get("USER"):
                args += ["--username", settings_dict["USER"]]
            if settings_dict.get("PASSWORD"):
                args += ["--password", settings_dict["PASSWORD"]]
        return [*args, *parameters], None

    def runshell(self, parameters: Iterable[str]) -> None:
        connection: Any = self.connection
        connection.ensure_connection()
        handle = connection.connection.handle
        if not handle.embedded:
            super().runshell(parameters)
            return
        from mongodb import _core

        with _core.Server(handle.client, host="127.0.0.1") as server:
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                subprocess.run(
                    [self.executable_name, f"{server.uri.rstrip('/')}/{handle.name}", *parameters],
                    check=True,
                )
            finally:
                signal.signal(signal.SIGINT, before)
