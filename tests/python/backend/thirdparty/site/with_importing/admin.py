# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from import_export import fields, resources, widgets
from import_export.admin import ImportExportModelAdmin

from with_importing.models import Item, Maker


class ItemResource(resources.ModelResource):
    maker = fields.Field("maker", "maker", widgets.ForeignKeyWidget(Maker, "name"))

    class Meta:
        model = Item
        import_id_fields = ["code"]
        fields = ["code", "price", "since", "maker"]
        skip_unchanged = True


class BulkResource(ItemResource):
    class Meta(ItemResource.Meta):
        use_bulk = True
        batch_size = 2
        skip_unchanged = False


@admin.register(Item)
class ItemAdmin(ImportExportModelAdmin):
    resource_classes = [ItemResource]
