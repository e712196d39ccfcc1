# SPDX-License-Identifier: Apache-2.0
"""Stock classes of Django's admin, for documents."""

from django.contrib import admin

from library.documents import Author, Book, Club, House, Remark


class RemarkInline(admin.TabularInline):
    model = Remark
    extra = 1


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "imprint__city", "genre", "lent", "shout"]
    list_filter = ["genre", "lent", "bought", "author", "imprint__city"]
    list_editable = ["lent"]
    list_per_page = 10
    search_fields = ["title", "imprint__city"]
    date_hierarchy = "bought"
    ordering = ["title"]
    autocomplete_fields = ["author"]
    readonly_fields = ["shout"]
    prepopulated_fields = {"slug": ["title"]}
    inlines = [RemarkInline]
    actions = ["lend"]

    @admin.display(ordering="title")
    def shout(self, book):
        return book.title.upper() if book.pk else ""

    @admin.action(description="Lend the chosen books")
    def lend(self, request, queryset):
        queryset.update(lent=True)


class AuthorAdmin(admin.ModelAdmin):
    search_fields = ["name"]
    raw_id_fields = ["house"]


admin.site.register(Author, AuthorAdmin)
admin.site.register(House)
admin.site.register(Club)
