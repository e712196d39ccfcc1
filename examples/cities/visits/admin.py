# SPDX-License-Identifier: Apache-2.0
"""The admin of the demo's models: list, search, filters, dates, forms within forms."""

from django.contrib import admin

from .models import Visit


class StarsFilter(admin.SimpleListFilter):
    title = "stars"
    parameter_name = "stars"

    def lookups(self, request, model_admin):
        return [(str(n), "★" * n) for n in range(5, 0, -1)]

    def queryset(self, request, queryset):
        return queryset.filter(opinion__stars=int(self.value())) if self.value() else queryset


@admin.register(Visit)
class VisitAdmin(admin.ModelAdmin):
    list_display = ["city_name", "visitor", "day", "stars", "words"]
    list_filter = [StarsFilter, "visitor"]
    list_select_related = ["visitor"]
    search_fields = ["city_name", "visitor__username", "opinion__text", "sights__name"]
    date_hierarchy = "day"

    @admin.display(ordering="opinion__stars", empty_value="-")
    def stars(self, visit):
        return visit.opinion

    @admin.display(description="tags")
    def words(self, visit):
        return ", ".join(visit.tags)
