# SPDX-License-Identifier: Apache-2.0
"""Django's ORM on documents: `ENGINE = "mongodb.backend"`."""

from mongodb.backend.utils import parse_uri

__all__ = ["parse_uri"]
