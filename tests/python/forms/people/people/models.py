# SPDX-License-Identifier: Apache-2.0
"""The users."""

from mongodb import StringField
from mongodb.auth import AbstractUser


class Member(AbstractUser):
    nickname = StringField(max_length=20)
