# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from treebeard.admin import TreeAdmin
from treebeard.forms import movenodeform_factory

from with_treebeard.models import Page


@admin.register(Page)
class PageAdmin(TreeAdmin):
    form = movenodeform_factory(Page)
