# SPDX-License-Identifier: Apache-2.0
"""What makes Django's own code treat documents as models. Only Django's side imports it."""

from __future__ import annotations

from django.core import exceptions

from mongodb import errors

__all__ = ["adopt_exceptions"]


def adopt_exceptions() -> None:
    """Make errors of what is missing Django's too: its shortcuts, its admin, and REST Framework's
    related fields, then answer a missing document or field as they answer a model's."""
    for ours, theirs in (
        (errors.DoesNotExist, exceptions.ObjectDoesNotExist),
        (errors.MultipleObjectsReturned, exceptions.MultipleObjectsReturned),
        (errors.FieldDoesNotExist, exceptions.FieldDoesNotExist),
    ):
        if not issubclass(ours, theirs):
            ours.__bases__ = (*ours.__bases__, theirs)
