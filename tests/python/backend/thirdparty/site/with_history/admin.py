# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from simple_history.admin import SimpleHistoryAdmin

from with_history.models import Book

admin.site.register(Book, SimpleHistoryAdmin)
