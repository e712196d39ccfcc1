# SPDX-License-Identifier: Apache-2.0
from django.contrib import admin
from guardian.admin import GuardedModelAdmin

from with_guardian.models import Paper

admin.site.register(Paper, GuardedModelAdmin)
