# SPDX-License-Identifier: Apache-2.0
"""A document that a DENY rule keeps, or that somebody else changed, is answered with a 409."""

from rest_framework.exceptions import APIException

from mongodb.errors import ProtectedError, StaleDocumentError

__all__ = ["Conflict", "StaleConflict", "adopt_conflicts"]


class Conflict(APIException):
    """What an error of the documents is to DRF: a 409 with the error's words as its detail."""

    status_code = 409
    default_code = "protected"


class StaleConflict(Conflict):
    """The same for a document of another version."""

    default_code = "stale"


def adopt_conflicts() -> None:
    """Make these errors exceptions that DRF answers."""
    for error, answer in ((ProtectedError, Conflict), (StaleDocumentError, StaleConflict)):
        if not issubclass(error, answer):
            error.__bases__ = (*error.__bases__, answer)
