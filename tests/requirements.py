# SPDX-License-Identifier: Apache-2.0
"""Print what the virtual environment needs: build requirements, dependencies, extras of tests.

    python tests/requirements.py [bench]

With the name of another extra, what that needs.
"""

import pathlib
import sys
import tomllib

project = tomllib.loads(
    (pathlib.Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)
extras = project["project"]["optional-dependencies"]
wanted = [
    *project["build-system"]["requires"],
    *project["project"]["dependencies"],
    *extras["test"],
    *extras["thirdparty"],
]
if sys.argv[1:]:
    wanted = [name for extra in sys.argv[1:] for name in extras[extra]]
print("\n".join(dict.fromkeys(wanted)))
