# SPDX-License-Identifier: Apache-2.0
"""MongoEngine's modules and names, as `compat.install("mongoengine")` gives them."""

from __future__ import annotations

from mongodb.compat.mongoengine import (
    connection,
    document,
    errors,
    fields,
    queryset,
    signals,
)
from mongodb.compat.mongoengine.connection import *  # noqa: F403
from mongodb.compat.mongoengine.document import *  # noqa: F403
from mongodb.compat.mongoengine.errors import *  # noqa: F403
from mongodb.compat.mongoengine.fields import *  # noqa: F403
from mongodb.compat.mongoengine.queryset import *  # noqa: F403
from mongodb.compat.mongoengine.signals import *  # noqa: F403

__all__ = list(  # noqa: PLE0605
    dict.fromkeys(
        [
            *document.__all__,
            *fields.__all__,
            *connection.__all__,
            *queryset.__all__,
            *signals.__all__,
            *errors.__all__,
        ]
    )
)

VERSION = (0, 29, 3)  # whose names these are


def get_version() -> str:
    """Return the version of MongoEngine whose names these are."""
    return ".".join(map(str, VERSION))


__version__ = get_version()
