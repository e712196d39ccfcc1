# SPDX-License-Identifier: Apache-2.0
"""Forked children, for the tests of what they may use."""

import os
import signal
from collections.abc import Callable

ROUNDS = int(os.environ.get("FORK_ROUNDS", "1"))  # `make forks` goes on for longer


def fork(work: Callable[[], object]) -> int:
    """Run `work` in a forked child, which ends with 0 when it returned; the child's number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60 * ROUNDS)  # a child that hangs is a failure, not a test that hangs
            work()
            code = 0
        except BaseException as error:
            os.write(2, f"in the child: {error!r}\n".encode())
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
