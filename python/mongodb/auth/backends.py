# SPDX-License-Identifier: Apache-2.0
"""The authentication backend of users who are documents."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.db.models import Q

from mongodb.auth import AuthGroup

__all__ = ["DocumentBackend"]


class DocumentBackend(ModelBackend):
    """Django's ModelBackend, with the permissions that users and their groups list."""

    def _get_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        if not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return set()
        if from_name == "user":
            return set(user_obj.user_permissions or ())
        return {one for group in user_obj.groups or () for one in group.permissions or ()}

    async def _aget_permissions(self, user_obj: Any, obj: Any, from_name: str) -> set[str]:
        return await sync_to_async(self._get_permissions)(user_obj, obj, from_name)

    def with_perm(
        self, perm: str, is_active: bool | None = True, include_superusers: bool = True,
        obj: Any = None,
    ) -> Any:  # fmt: skip
        """Return the users who have the permission."""
        users = get_user_model()._default_manager
        if obj is not None:
            return users.none()
        groups = list(AuthGroup.objects(permissions=perm).scalar("pk"))
        wanted = Q(user_permissions=perm) | Q(groups__in=groups)
        if include_superusers:
            wanted |= Q(is_superuser=True)
        found = users.filter(wanted)
        return found if is_active is None else found.filter(is_active=is_active)
