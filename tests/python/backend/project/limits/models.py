# SPDX-License-Identifier: Apache-2.0
from django.db import models


class Thing(models.Model):
    name = models.CharField(max_length=20)
    number = models.IntegerField(default=0)
    double = models.GeneratedField(
        expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True
    )
    made = models.DateTimeField(null=True)
    took = models.DurationField(null=True)
    value = models.JSONField(null=True)
    owner = models.ForeignKey("self", models.CASCADE, null=True, related_name="owned")
    friends = models.ManyToManyField("self")
