# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Brand(models.Model):
    name = models.CharField(max_length=30)


class Car(models.Model):
    name = models.CharField(max_length=30)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    built = models.DateTimeField()
    fuel = models.CharField(max_length=1, choices=[("p", "petrol"), ("e", "electric")])
    sold = models.BooleanField(null=True)
    brand = models.ForeignKey(Brand, models.CASCADE, related_name="cars")
    extras = models.ManyToManyField(Brand, related_name="extras_of")
