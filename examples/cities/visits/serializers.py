# SPDX-License-Identifier: Apache-2.0
"""How visits look as JSON: DRF's own serializer, nothing else."""

from rest_framework import serializers

from .models import Visit


class VisitSerializer(serializers.ModelSerializer):
    class Meta:
        model = Visit
        fields = "__all__"

    def validate_city(self, value: int) -> int:
        Visit(city=value).clean()
        return value
