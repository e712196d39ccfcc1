# SPDX-License-Identifier: Apache-2.0
"""The SQL that Django writes, read back: tokens, a syntax tree, a parser."""

from mongodb.backend.sql.parser import SQLSyntaxError, parse, parse_counted

__all__ = ["SQLSyntaxError", "parse", "parse_counted"]
