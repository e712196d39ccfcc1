# SPDX-License-Identifier: Apache-2.0
"""In a test run models and documents of one file have one test store, and one transaction."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

FILES = {
    "settings.py": """
        import pathlib
        BASE_DIR = pathlib.Path(__file__).parent
        SECRET_KEY = "tests"
        USE_TZ = True
        INSTALLED_APPS = ["mongodb", "shop"]
        DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
        DATABASES = {"default": {"ENGINE": "mongodb.backend", "NAME": BASE_DIR / "shop"}}
        MONGODB_SETTINGS = {"db": "shop"}
    """,
    "shop/__init__.py": "",
    "shop/models.py": """
        from django.db import models

        class Order(models.Model):
            name = models.CharField(max_length=10)
    """,
    "shop/documents.py": """
        from mongodb import Document
        from mongodb.fields import StringField

        class Note(Document):
            name = StringField()
    """,
    "shop/tests.py": """
        from django.db import transaction
        from django.test import TestCase, TransactionTestCase
        import mongodb
        from shop.documents import Note
        from shop.models import Order

        class Both:
            def counted(self):
                return Order.objects.count(), Note.objects.count()

            def test_models_atomic_undoes_both(self):
                self.assertEqual(self.counted(), (0, 0))
                with self.assertRaises(ZeroDivisionError), transaction.atomic():
                    Order.objects.create(name="a")
                    Note(name="a").save()
                    self.assertEqual(self.counted(), (1, 1))
                    1 / 0
                self.assertEqual(self.counted(), (0, 0))

            def test_rows_and_documents_are_put_back(self):
                self.assertEqual(self.counted(), (0, 0))
                Order.objects.create(name="a")
                Note(name="a").save()
                self.assertEqual(self.counted(), (1, 1))

            def test_they_share_the_store(self):
                self.assertEqual(self.counted(), (0, 0))
                names = mongodb.get_db().list_collection_names()
                self.assertIn("shop_order", names)

        class PlainTests(Both, TestCase):
            pass

        class FlushedTests(Both, TransactionTestCase):
            def test_documents_atomic_undoes_both(self):
                with self.assertRaises(ZeroDivisionError), mongodb.atomic():
                    Order.objects.create(name="a")
                    Note(name="a").save()
                    1 / 0
                self.assertEqual(self.counted(), (0, 0))
    """,
    "manage.py": """
        import os, sys
        os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
}


@pytest.mark.parametrize("parallel", ["1", "2"])
def test_models_and_documents_of_one_file_share_it_in_tests(
    tmp_path: pathlib.Path, parallel: str
) -> None:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    command = [sys.executable, "manage.py", "test", "--parallel", parallel]
    env = {key: value for key, value in os.environ.items() if not key.startswith("DJANGO")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ran 7 tests" in done.stderr
    assert not (tmp_path / "shop.docstore").exists()
