# SPDX-License-Identifier: Apache-2.0
"""A document that a DENY rule keeps is answered with a 409."""

from rest_framework.exceptions import APIException

from mongodb.errors import ProtectedError

__all__ = ["Conflict", "adopt_conflicts"]


class Conflict(APIException):
    """What an error of the documents is to DRF: a 409 with the error's words as its detail."""

    status_code = 409
    default_code = "protected"


def adopt_conflicts() -> None:
    """Make ProtectedError an exception that DRF answers."""
    if not issubclass(ProtectedError, Conflict):
        ProtectedError.__bases__ = (*ProtectedError.__bases__, Conflict)
