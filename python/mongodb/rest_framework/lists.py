# SPDX-License-Identifier: Apache-2.0
"""Lists of documents."""

from typing import Any

from rest_framework import serializers

from mongodb.queryset import QuerySet

from .keeper import kept_plan, missed
from .plan import SHOW_ITEMS, rows

__all__ = ["DocumentListSerializer"]


class DocumentListSerializer(serializers.ListSerializer):
    """Many documents. What C knows to show of them is shown without Python between."""

    def to_representation(self, data: Any) -> Any:
        # A queryset kept on a view's class must not answer from an earlier request's results.
        if isinstance(data, QuerySet):
            data = data.all()
        if self.parent is not None:
            return super().to_representation(data)
        if type(data) is QuerySet:
            batches = data._unmade()
            data = list(data) if batches is None else [one for one in batches if len(one)]
        kept = kept_plan(self.child) if type(data) is list and data else None
        return rows(self.child, data, kept, missed)


SHOW_ITEMS.add(DocumentListSerializer.to_representation)
