# SPDX-License-Identifier: Apache-2.0
from django.db import models
from mptt.models import MPTTModel, TreeForeignKey


class Genre(MPTTModel):
    name = models.CharField(max_length=30, unique=True)
    parent = TreeForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    class MPTTMeta:
        order_insertion_by = ["name"]

    def __str__(self) -> str:
        return self.name


class Record(models.Model):
    title = models.CharField(max_length=30)
    genre = TreeForeignKey(Genre, models.CASCADE)
