# SPDX-License-Identifier: Apache-2.0
"""The admin's pages of models."""

from typing import Any

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.urls import reverse


class AdminCase(TestCase):
    """Logged in as who may do everything."""

    def setUp(self) -> None:
        self.root = get_user_model().objects.create_superuser("root", "root@example.com", "secret")
        self.client.force_login(self.root)

    def page(self, model: Any, name: str, *args: Any, **query: Any) -> Any:
        meta = model._meta
        url = reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=args)
        return self.client.get(url, query)

    def open(self, *rows: Any) -> None:
        """Look at the list, the empty form, the form, the history and the deletion of each."""
        for row in rows:
            listed = self.page(type(row), "changelist")
            self.assertContains(listed, "1 ")
            self.assertEqual(self.page(type(row), "add").status_code, 200)
            for name in ("change", "history", "delete"):
                found = self.page(type(row), name, row.pk)
                self.assertEqual(found.status_code, 200, (row, name))

    def send(self, url: str, **data: Any) -> Any:
        """Post a form, which must be taken."""
        done = self.client.post(url, data)
        if done.status_code != 302:
            context = done.context or {}
            form = context.get("adminform") or context.get("form")
            self.fail((done.status_code, form and form.errors, context.get("errors")))
        return done
