# SPDX-License-Identifier: Apache-2.0
from django.db import models
from taggit.managers import TaggableManager


class Food(models.Model):
    name = models.CharField(max_length=30)
    tags = TaggableManager(blank=True)

    def __str__(self) -> str:
        return self.name
