# SPDX-License-Identifier: Apache-2.0
"""Signals."""

from __future__ import annotations

from mongodb.signals import (
    Namespace,
    Signal,
    post_bulk_insert,
    post_delete,
    post_init,
    post_save,
    pre_bulk_insert,
    pre_delete,
    pre_init,
    pre_save,
    pre_save_post_validation,
    signals_available,
)

__all__ = [
    "post_delete",
    "post_init",
    "post_save",
    "pre_delete",
    "pre_init",
    "pre_save",
    "pre_save_post_validation",
]
_signals = Namespace()  # packages make signals of their own in it
_ = (Namespace, Signal, post_bulk_insert, pre_bulk_insert, signals_available)
