# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Paper(models.Model):
    title = models.CharField(max_length=30)

    class Meta:
        permissions = [("sign_paper", "Can sign it")]
