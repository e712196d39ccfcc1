# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Writer(models.Model):
    name = models.CharField(max_length=30, unique=True)


class Note(models.Model):
    text = models.CharField(max_length=50)
    stars = models.PositiveSmallIntegerField(default=0)
    slug = models.SlugField()
    made = models.DateTimeField(auto_now_add=True)
    meta = models.JSONField(default=dict)
    writer = models.ForeignKey(Writer, models.CASCADE, related_name="notes")
    likers = models.ManyToManyField(Writer, blank=True)

    class Meta:
        unique_together = [("writer", "slug")]
