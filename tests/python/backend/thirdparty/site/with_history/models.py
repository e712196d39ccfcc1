# SPDX-License-Identifier: Apache-2.0
from django.db import models
from simple_history.models import HistoricalRecords


class Author(models.Model):
    name = models.CharField(max_length=30)
    history = HistoricalRecords()


class Book(models.Model):
    title = models.CharField(max_length=30)
    price = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)
    author = models.ForeignKey(Author, models.CASCADE, null=True, blank=True)
    readers = models.ManyToManyField(Author, related_name="read", blank=True)
    history = HistoricalRecords(m2m_fields=[readers])
