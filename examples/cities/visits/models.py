# SPDX-License-Identifier: Apache-2.0
"""Django models in the same store as the documents: who was in which city, and how it was."""

from typing import Any

from api.documents import City
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from mongodb.backend.fields import ArrayField, EmbeddedModelArrayField, EmbeddedModelField
from mongodb.backend.indexes import EmbeddedFieldIndex
from mongodb.backend.models import EmbeddedModel


class Opinion(EmbeddedModel):
    stars = models.PositiveSmallIntegerField(choices=[(n, "★" * n) for n in range(1, 6)])
    text = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.get_stars_display()


class Sight(EmbeddedModel):
    name = models.CharField(max_length=100)
    hours = models.PositiveSmallIntegerField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Visit(models.Model):
    city = models.BigIntegerField(help_text="The number of a city, such as 2988507 for Paris")
    city_name = models.CharField(max_length=200, editable=False)
    visitor = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="visits")
    day = models.DateField()
    tags = ArrayField(models.CharField(max_length=30), default=list, blank=True)
    opinion = EmbeddedModelField(Opinion, null=True, blank=True)
    sights = EmbeddedModelArrayField(Sight, default=list, blank=True, max_size=5)

    class Meta:
        ordering = ["-day", "-pk"]
        indexes = [
            models.Index(fields=["-day"], name="visits_day"),
            EmbeddedFieldIndex(fields=["opinion.stars"], name="visits_stars"),
        ]

    def __str__(self) -> str:
        return f"{self.city_name}, {self.day}"

    def clean(self) -> None:
        if self.city is not None and City.objects.filter(pk=self.city).first() is None:
            raise ValidationError({"city": "There is no city of that number."})

    def save(self, **kwargs: Any) -> None:
        city = City.objects.filter(pk=self.city).first()
        self.city_name = str(city) if city is not None else str(self.city)
        super().save(**kwargs)
