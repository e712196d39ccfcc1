# SPDX-License-Identifier: Apache-2.0
"""Users of Django's authentication as documents.

`class Member(AbstractUser)` in an installed application, `AUTH_USER_MODEL = "people.Member"` and
`AUTHENTICATION_BACKENDS = ["mongodb.auth.backends.DocumentBackend"]`. Permissions are texts such
as "blog.add_post", in users and in groups.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.contrib import auth
from django.contrib.auth import base_user
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.utils.translation import gettext_lazy as _

from mongodb.document import Document
from mongodb.fields import (
    BooleanField,
    DateTimeField,
    EmailField,
    ListField,
    ReferenceField,
    StringField,
)
from mongodb.fields.dates import utc_now
from mongodb.fields.references import PULL
from mongodb.queryset.queryset import QuerySet

__all__ = ["AbstractBaseUser", "AbstractUser", "AuthGroup", "UserQuerySet", "update_last_login"]


class UserQuerySet(QuerySet[Any]):
    """What Django asks of a manager of users."""

    normalize_email = staticmethod(base_user.BaseUserManager.normalize_email)

    def db_manager(self, using: str | None = None, hints: Any = None) -> Any:
        """Return this: Django's commands name a database of models."""
        return self.all()

    def get_by_natural_key(self, username: str) -> Any:
        """Return the user of that name; anything but a text, such as an operator, is nobody's."""
        if not isinstance(username, str):
            raise self._document.DoesNotExist(f"a user's name is a text, not {username!r}")
        return self.get(**{self._document.USERNAME_FIELD: username})

    async def aget_by_natural_key(self, username: str) -> Any:
        """`get_by_natural_key()` in a thread."""
        return await sync_to_async(self.get_by_natural_key)(username)

    def create_user(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> Any:
        """Create a user; without a password nobody can log in as that one."""
        if not username:
            raise ValueError("The given username must be set")
        values = {"is_staff": False, "is_superuser": False, **extra}
        if "email" in self._document._fields:
            values["email"] = self.normalize_email(email) or None
        name = self._document.normalize_username(username)
        user = self._document(**{self._document.USERNAME_FIELD: name}, **values)
        user.set_password(password)
        return user.save()

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> Any:
        """Create a user who may do anything."""
        values = {"is_staff": True, "is_superuser": True, **extra}
        for name in ("is_staff", "is_superuser"):
            if values[name] is not True:
                raise ValueError(f"Superuser must have {name}=True.")
        return self.create_user(username, email, password, **values)


class AbstractBaseUser(Document):
    """A password and the last login; the rest of the protocol of Django's users."""

    password = StringField(required=True, max_length=128)
    last_login = DateTimeField()

    meta = {"abstract": True, "queryset_class": UserQuerySet}

    USERNAME_FIELD: ClassVar[str] = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    is_active: Any = True
    is_anonymous = False
    is_authenticated = True
    _password = None

    _theirs = base_user.AbstractBaseUser
    get_username = _theirs.get_username
    natural_key = _theirs.natural_key
    set_password = _theirs.set_password
    check_password = _theirs.check_password
    set_unusable_password = _theirs.set_unusable_password
    has_usable_password = _theirs.has_usable_password
    get_session_auth_hash = _theirs.get_session_auth_hash
    get_session_auth_fallback_hash = _theirs.get_session_auth_fallback_hash
    _get_session_auth_hash = _theirs._get_session_auth_hash
    if hasattr(_theirs, "acheck_password"):
        acheck_password = _theirs.acheck_password
    get_email_field_name: Any = classmethod(_theirs.get_email_field_name.__func__)
    normalize_username: Any = classmethod(_theirs.normalize_username.__func__)
    del _theirs

    def __str__(self) -> str:
        return str(self.get_username())

    def clean(self) -> None:
        """Write the name in one way."""
        setattr(self, self.USERNAME_FIELD, self.normalize_username(self.get_username()))

    def save(
        self, *args: Any, update_fields: Iterable[str] | None = None, using: str | None = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Save what changed; `update_fields` and `using` are taken for Django's own code."""
        saved = super().save(*args, **kwargs)
        if self._password is not None:
            auth.password_validation.password_changed(self._password, self)
            self._password = None
        return saved


class AuthGroup(Document):
    """Users with permissions in common."""

    name = StringField(required=True, unique=True, max_length=150)
    permissions = ListField(StringField())

    meta = {"collection": "auth_groups", "verbose_name": _("group"), "ordering": ["name"],
            "verbose_name_plural": _("groups")}  # fmt: skip

    def __str__(self) -> str:
        return str(self.name)

    def natural_key(self) -> tuple[Any, ...]:
        """Return the name."""
        return (self.name,)


class AbstractUser(AbstractBaseUser):
    """Django's AbstractUser as a document."""

    username = StringField(required=True, unique=True, max_length=150,
                           verbose_name=_("username"))  # fmt: skip
    first_name = StringField(max_length=150, verbose_name=_("first name"))
    last_name = StringField(max_length=150, verbose_name=_("last name"))
    email = EmailField(verbose_name=_("email address"))
    is_staff = BooleanField(default=False, verbose_name=_("staff status"))
    is_active = BooleanField(default=True, verbose_name=_("active"))
    is_superuser = BooleanField(default=False, verbose_name=_("superuser status"))
    date_joined = DateTimeField(default=utc_now, verbose_name=_("date joined"))
    groups = ListField(
        ReferenceField(AuthGroup, reverse_delete_rule=PULL), verbose_name=_("groups")
    )
    user_permissions = ListField(StringField(), verbose_name=_("user permissions"))

    meta = {"abstract": True, "verbose_name": _("user"), "verbose_name_plural": _("users")}

    EMAIL_FIELD: ClassVar[str] = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    def get_full_name(self) -> str:
        """Return both names."""
        return f"{self.first_name or ''} {self.last_name or ''}".strip()

    def get_short_name(self) -> str:
        """Return the first name."""
        return str(self.first_name or "")

    def email_user(self, subject: str, message: str, from_email: Any = None, **kwargs: Any) -> None:
        """Send the user a message."""
        send_mail(subject, message, from_email, [self.email], **kwargs)

    # Permissions, asked of all backends

    def _of_backends(self, name: str, obj: Any) -> set[str]:
        found: set[str] = set()
        for backend in auth.get_backends():
            if hasattr(backend, name):
                found.update(getattr(backend, name)(self, obj))
        return found

    def _any_backend(self, name: str, *args: Any) -> bool:
        for backend in auth.get_backends():
            try:
                if hasattr(backend, name) and getattr(backend, name)(self, *args):
                    return True
            except PermissionDenied:
                return False
        return False

    def get_user_permissions(self, obj: Any = None) -> set[str]:
        """Return the permissions that the user has alone."""
        return self._of_backends("get_user_permissions", obj)

    def get_group_permissions(self, obj: Any = None) -> set[str]:
        """Return the permissions that the user has by groups."""
        return self._of_backends("get_group_permissions", obj)

    def get_all_permissions(self, obj: Any = None) -> set[str]:
        """Return all permissions of the user."""
        return self._of_backends("get_all_permissions", obj)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Tell whether the user has the permission."""
        if self.is_active and self.is_superuser:
            return True
        return self._any_backend("has_perm", perm, obj)

    def has_perms(self, perm_list: Iterable[str], obj: Any = None) -> bool:
        """Tell whether the user has all of the permissions."""
        if isinstance(perm_list, str) or not isinstance(perm_list, Iterable):
            raise ValueError("perm_list must be an iterable of permissions.")
        return all(self.has_perm(perm, obj) for perm in perm_list)

    def has_module_perms(self, app_label: str) -> bool:
        """Tell whether the user has any permission of the application."""
        if self.is_active and self.is_superuser:
            return True
        return self._any_backend("has_module_perms", app_label)


def update_last_login(sender: Any, user: Any, **kwargs: Any) -> None:
    """Note in the store when a user logged in."""
    if isinstance(user, AbstractBaseUser):
        user.last_login = utc_now()
        user.save(validate=False)
