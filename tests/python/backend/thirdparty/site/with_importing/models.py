# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Maker(models.Model):
    name = models.CharField(max_length=30, unique=True)


class Item(models.Model):
    code = models.CharField(max_length=10, unique=True)
    price = models.DecimalField(max_digits=8, decimal_places=2, null=True, blank=True)
    since = models.DateField(null=True, blank=True)
    maker = models.ForeignKey(Maker, models.CASCADE, null=True, blank=True)
