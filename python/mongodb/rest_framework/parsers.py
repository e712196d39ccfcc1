# SPDX-License-Identifier: Apache-2.0
"""JSON bodies that no document can hold are refused when they are read, with a 400."""

import io
import json
import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

__all__ = ["adopt_parser"]

# What may be a lone surrogate or a number beyond the doubles: to be looked at closely.
SUSPICIOUS = re.compile(rb"\\u[dD][89a-fA-F]|[0-9.][eE]\+?[0-9]{3}|[0-9]{300}")

stock_parse = parsers.JSONParser.parse


def parse(self: Any, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
    """DRF's parse(); also refuses nesting beyond Python's stack, lone surrogates, infinities."""
    body = stream.read()
    try:
        data = stock_parse(self, io.BytesIO(body), media_type, parser_context)
        if self.strict and SUSPICIOUS.search(body):
            json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ParseError(_("JSON parse error - it is nested too deeply")) from None
    except UnicodeEncodeError:
        raise ParseError(_("JSON parse error - the text has lone surrogates")) from None
    except ValueError as error:
        raise ParseError(_("JSON parse error - %s") % error) from error
    return data


def adopt_parser() -> None:
    """Make DRF's JSONParser answer such bodies with a 400, where it would fail."""
    parsers.JSONParser.parse = parse
