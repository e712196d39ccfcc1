# SPDX-License-Identifier: Apache-2.0
"""Print what the virtual environment needs: build requirements, dependencies and the test extra."""

import pathlib
import tomllib

project = tomllib.loads(
    (pathlib.Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)
wanted = [
    *project["build-system"]["requires"],
    *project["project"]["dependencies"],
    *project["project"]["optional-dependencies"]["test"],
]
print("\n".join(dict.fromkeys(wanted)))
