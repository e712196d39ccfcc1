# SPDX-License-Identifier: Apache-2.0
"""Models of the test project."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=80, unique=True)
    code = models.CharField(max_length=10, unique=True, null=True, blank=True)
    pages = models.PositiveIntegerField(db_index=True, null=True, blank=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=1)
    added = models.DateTimeField(auto_now_add=True)
    day = models.DateField(null=True, blank=True)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    readers = models.ManyToManyField(Author, related_name="read")

    def __str__(self):
        return self.title


class Note(models.Model):
    key = models.JSONField(unique=True)
    value = models.IntegerField(default=0)
    data = models.JSONField(null=True)
