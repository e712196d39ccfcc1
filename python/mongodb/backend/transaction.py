# SPDX-License-Identifier: Apache-2.0
"""Django's own transactions: they are real here, so nothing takes their place."""

from django.db.transaction import Atomic, TransactionManagementError, atomic, on_commit

__all__ = ["Atomic", "TransactionManagementError", "atomic", "on_commit"]
