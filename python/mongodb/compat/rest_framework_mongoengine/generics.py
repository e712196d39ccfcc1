# SPDX-License-Identifier: Apache-2.0
"""DRF's generics for documents."""

from mongodb.rest_framework.generics import *  # noqa: F403
from mongodb.rest_framework.generics import __all__ as __all__
