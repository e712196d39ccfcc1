# SPDX-License-Identifier: Apache-2.0
"""The type variable of what holds documents. Without an argument it stands for Any."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Doc = TypeVar("Doc", default=Any)
else:  # the default is for type checkers: Python has it from 3.13 on
    from typing import TypeVar

    Doc = TypeVar("Doc")

__all__ = ["Doc"]
