# SPDX-License-Identifier: Apache-2.0
"""Connections: the module itself, whose tables other packages look into."""

from __future__ import annotations

import sys

from mongodb import connection
from mongodb.connection import *  # noqa: F403

__all__ = connection.__all__
sys.modules[__name__] = connection
