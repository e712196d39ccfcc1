# SPDX-License-Identifier: Apache-2.0
"""The test project's admin."""

from django.contrib import admin

from shop.models import Author, Book

admin.site.register(Author)


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "pages"]
    list_filter = ["author"]
    search_fields = ["title", "author__name"]
    date_hierarchy = "added"
