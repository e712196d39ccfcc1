# SPDX-License-Identifier: Apache-2.0
"""Django REST Framework over documents: serializers, fields, filters, pagination, renderers.

The modules are named like DRF's own. Everything here works with plain `rest_framework` views,
viewsets and routers.
"""

from mongodb._django import adopt_exceptions

from .conflicts import adopt_conflicts
from .parsers import adopt_parser

adopt_conflicts()
adopt_exceptions()
adopt_parser()
