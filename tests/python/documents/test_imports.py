# SPDX-License-Identifier: Apache-2.0
"""What `import mongodb` leaves for later, since it takes long to import."""

import subprocess
import sys


def test_the_package_imports_what_is_slow_when_it_is_needed() -> None:
    code = "import sys, mongodb; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    slow = {"asyncio", "inspect", "difflib", "dateutil", "pymongo", "django", "ssl", "unittest"}
    assert not slow & set(done.stdout.split())
