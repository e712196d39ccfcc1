# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from mptt.admin import DraggableMPTTAdmin, TreeRelatedFieldListFilter

from with_mptt.models import Genre, Record

admin.site.register(Genre, DraggableMPTTAdmin, list_display=["tree_actions", "indented_title"])


@admin.register(Record)
class RecordAdmin(admin.ModelAdmin):
    list_filter = [("genre", TreeRelatedFieldListFilter)]
