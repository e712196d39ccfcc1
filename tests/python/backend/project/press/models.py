# SPDX-License-Identifier: Apache-2.0
"""Models with MongoDB's own fields."""

from django.db import models

from mongodb.backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    ObjectIdAutoField,
    ObjectIdField,
    PolymorphicEmbeddedModelArrayField,
    PolymorphicEmbeddedModelField,
)
from mongodb.backend.indexes import EmbeddedFieldIndex
from mongodb.backend.managers import MongoManager
from mongodb.backend.models import EmbeddedModel


class Address(EmbeddedModel):
    city = models.CharField(max_length=20)
    zip_code = models.IntegerField(null=True, blank=True, db_column="zip")
    tags = ArrayField(models.CharField(max_length=10), default=list, blank=True)


class Publisher(models.Model):
    id = ObjectIdAutoField(primary_key=True)
    name = models.CharField(max_length=30)

    def __str__(self):
        return self.name


class Writer(EmbeddedModel):
    name = models.CharField(max_length=20, help_text="As on the title page.")
    born = models.DateField(null=True, blank=True)
    rate = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    address = EmbeddedModelField(Address, null=True, blank=True)
    publisher = models.ForeignKey(Publisher, models.DO_NOTHING, null=True, blank=True)
    data = models.JSONField(null=True, blank=True)

    def __str__(self):
        return self.name


class Review(EmbeddedModel):
    by = models.CharField(max_length=20)
    stars = models.PositiveSmallIntegerField(choices=[(n, "*" * n) for n in range(6)])
    at = models.DateTimeField(null=True, blank=True)
    words = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    of = models.ForeignKey(Publisher, models.DO_NOTHING, null=True, blank=True, related_name="+")


class Cat(EmbeddedModel):
    name = models.CharField(max_length=20)
    purrs = models.BooleanField(default=True)


class Dog(EmbeddedModel):
    name = models.CharField(max_length=20)
    barks = models.BooleanField(default=True)


class Title(models.Model):
    name = models.CharField(max_length=50)
    writer = EmbeddedModelField(Writer, null=True, blank=True)
    reviews = EmbeddedModelArrayField(Review, default=list, blank=True, max_size=3)
    words = ArrayField(models.CharField(max_length=20), default=list, blank=True, max_size=4)
    marks = ArrayField(models.DecimalField(max_digits=5, decimal_places=2), null=True, blank=True)
    grid = ArrayField(ArrayField(models.IntegerField()), null=True, blank=True)
    places = ArrayField(EmbeddedModelField(Address), null=True, blank=True)
    other = ObjectIdField(null=True, blank=True)
    mascot = PolymorphicEmbeddedModelField([Cat, Dog], null=True, blank=True)
    pets = PolymorphicEmbeddedModelArrayField([Cat, Dog], null=True, blank=True)

    notes = EmbeddedModelField(null=True, blank=True)  # of no model

    objects = MongoManager()

    class Meta:
        indexes = [
            EmbeddedFieldIndex(fields=["writer.name"], name="press_writer"),
            EmbeddedFieldIndex(fields=["reviews.stars"], name="press_stars"),
            models.Index(fields=["words"], name="press_words"),
        ]

    def __str__(self):
        return self.name
