# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin

from with_taggit.models import Food


@admin.register(Food)
class FoodAdmin(admin.ModelAdmin):
    list_filter = ["tags"]
    search_fields = ["name", "tags__name"]
