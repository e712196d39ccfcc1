# SPDX-License-Identifier: Apache-2.0
"""Models with files."""

from django.db import models


class Upload(models.Model):
    paper = models.FileField(upload_to="papers")
    photo = models.ImageField(
        upload_to="photos/%Y", width_field="width", height_field="height", blank=True
    )
    width = models.IntegerField(null=True, editable=False)
    height = models.IntegerField(null=True, editable=False)
