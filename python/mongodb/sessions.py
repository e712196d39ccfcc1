# SPDX-License-Identifier: Apache-2.0
"""Django's sessions as documents: `SESSION_ENGINE = "mongodb.sessions"`.

They are in the collection `sessions` of the connection that SESSION_DB_ALIAS names, "default"
without it. The store removes those that are over by itself.
"""

from __future__ import annotations

import datetime
import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone

from mongodb.document import Document
from mongodb.errors import NotUniqueError
from mongodb.fields import DateTimeField, StringField
from mongodb.fields.dates import utc_now

__all__ = ["SessionDocument", "SessionStore"]


class SessionDocument(Document):
    """What is known of one visitor."""

    session_key = StringField(primary_key=True, max_length=40)
    session_data = StringField(required=True)
    expire_date = DateTimeField(required=True)

    meta = {
        "collection": "sessions",
        "db_alias": getattr(settings, "SESSION_DB_ALIAS", "default"),
        "indexes": [{"fields": ["expire_date"], "expireAfterSeconds": 0}],
    }

    def __str__(self) -> str:
        return str(self.session_key)

    def get_decoded(self) -> dict[str, Any]:
        """Return the session's values."""
        return SessionStore().decode(self.session_data)  # type: ignore[no-any-return]


class SessionStore(SessionBase):
    """The sessions' backend."""

    def load(self) -> dict[str, Any]:
        """Return the values; none, and no key, when there is no such session now."""
        found = SessionDocument.objects(pk=self.session_key, expire_date__gt=utc_now()).first()
        if found is not None:
            try:
                return found.get_decoded()
            except SuspiciousOperation as error:
                logger = logging.getLogger(f"django.security.{type(error).__name__}")
                logger.warning(str(error))
        self._session_key = None
        return {}

    def exists(self, session_key: str) -> bool:
        """Tell whether the key is taken."""
        return SessionDocument.objects(pk=session_key).exists()

    def create(self) -> None:
        """Begin a session under a key that nobody has."""
        while True:
            self._session_key = self._get_new_session_key()
            try:
                self.save(must_create=True)
            except CreateError:
                continue
            self.modified = True
            return

    def save(self, must_create: bool = False) -> Any:
        """Store the values. CreateError: the key is taken; UpdateError: the session is gone."""
        if self.session_key is None:
            return self.create()
        data = self.encode(self._get_session(no_load=must_create))
        ends = _stored(self.get_expiry_date())
        if must_create:
            made = SessionDocument(
                session_key=self.session_key, session_data=data, expire_date=ends
            )
            try:
                made.save(force_insert=True)
            except NotUniqueError:
                raise CreateError from None
            return None
        mine = SessionDocument.objects(pk=self.session_key)
        if not mine.update(session_data=data, expire_date=ends):
            raise UpdateError
        return None

    def delete(self, session_key: str | None = None) -> None:
        """Forget a session, this one without a key."""
        key = self.session_key if session_key is None else session_key
        if key is not None:
            SessionDocument.objects(pk=key).delete()

    @classmethod
    def clear_expired(cls) -> None:
        """Remove what is over."""
        SessionDocument.objects(expire_date__lt=utc_now()).delete()

    @classmethod
    async def aclear_expired(cls) -> None:
        """`clear_expired()` in a thread."""
        await sync_to_async(cls.clear_expired)()


def _stored(moment: datetime.datetime) -> datetime.datetime:
    """Return the moment as documents have it: in UTC, without a zone."""
    if timezone.is_naive(moment):  # USE_TZ is off: it is local
        moment = timezone.make_aware(moment)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None)
