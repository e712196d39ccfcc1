# SPDX-License-Identifier: Apache-2.0
"""The admin of the demo's documents: the same classes as for models."""

from django.contrib import admin

from .documents import City, Comment, Post, User


class CommentInline(admin.StackedInline):
    model = Comment
    extra = 1


@admin.register(Post)
class PostAdmin(admin.ModelAdmin):
    list_display = ["title", "author", "published", "created_at"]
    list_filter = ["published", "author"]
    list_editable = ["published"]
    search_fields = ["title", "content", "comments__text"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["author"]
    readonly_fields = ["created_at", "updated_at"]
    inlines = [CommentInline]


@admin.register(City)
class CityAdmin(admin.ModelAdmin):
    list_display = ["name", "country", "population", "location__latitude"]
    list_filter = ["country"]
    search_fields = ["name"]
    show_full_result_count = False


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ["name", "email", "age", "is_active"]
    search_fields = ["name", "email"]
