# SPDX-License-Identifier: Apache-2.0
"""The admin of models with MongoDB's own fields."""

from django.contrib import admin

from press.models import Publisher, Title

admin.site.register(Publisher)


@admin.register(Title)
class TitleAdmin(admin.ModelAdmin):
    list_display = ["name", "writer", "words"]
    search_fields = ["name", "writer__name", "reviews__by"]
