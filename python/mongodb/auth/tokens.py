# SPDX-License-Identifier: Apache-2.0
"""REST Framework's tokens for users who are documents."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.response import Response
from rest_framework.views import APIView

from mongodb.document import Document
from mongodb.fields import DateTimeField, ReferenceField, StringField
from mongodb.fields.dates import utc_now
from mongodb.fields.references import CASCADE

__all__ = ["AuthToken", "DocumentTokenAuthentication", "ObtainAuthToken"]


class AuthToken(Document):
    """What a client sends instead of a password; a user has one."""

    key = StringField(primary_key=True, max_length=40, default=lambda: secrets.token_hex(20))
    user = ReferenceField(get_user_model(), required=True, unique=True, reverse_delete_rule=CASCADE)
    created = DateTimeField(default=utc_now)

    meta = {"collection": "auth_tokens"}

    def __str__(self) -> str:
        return str(self.key)


class DocumentTokenAuthentication(TokenAuthentication):
    """REST Framework's TokenAuthentication, over documents."""

    model = AuthToken


class ObtainAuthToken(APIView):
    """Gives the token of a user for a name and a password."""

    throttle_classes = ()
    permission_classes = ()
    authentication_classes = ()

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the token, made when there is none."""
        serializer = AuthTokenSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        token, _ = AuthToken.objects.get_or_create(user=serializer.validated_data["user"])
        return Response({"token": token.key})
