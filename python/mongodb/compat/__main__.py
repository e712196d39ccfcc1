# SPDX-License-Identifier: Apache-2.0
"""`python -m mongodb.compat mongoengine -- pytest tests` runs a module, or a file, to which imports
of that library mean this one."""

from __future__ import annotations

import runpy
import sys

from mongodb.compat import install

_USAGE = "usage: python -m mongodb.compat LIBRARY... -- MODULE|FILE.py [ARGUMENT...]"


def main(arguments: list[str]) -> None:
    """Install the libraries and run what follows `--`."""
    at = arguments.index("--") if "--" in arguments else 0
    libraries, command = arguments[:at], arguments[at + 1 :]
    if not libraries or not command:
        raise SystemExit(_USAGE)
    for library in libraries:
        try:
            install(library)
        except ValueError as error:
            raise SystemExit(f"{error}\n{_USAGE}") from error
    sys.argv = command
    if command[0].endswith(".py"):
        runpy.run_path(command[0], run_name="__main__")
    else:
        sys.path.insert(0, "")
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
