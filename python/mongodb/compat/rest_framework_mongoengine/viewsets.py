# SPDX-License-Identifier: Apache-2.0
"""DRF's viewsets for documents."""

from mongodb.rest_framework.viewsets import *  # noqa: F403
from mongodb.rest_framework.viewsets import __all__ as __all__
