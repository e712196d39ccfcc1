# SPDX-License-Identifier: Apache-2.0
import io

from django.test import TestCase
from import_export.results import RowResult
from pages import AdminCase
from tablib import Dataset

from with_importing.admin import BulkResource, ItemResource
from with_importing.models import Item, Maker

CSV = "code,price,since,maker\na1,1.50,2024-05-01,Acme\nb2,,,\nc3,20.00,,Acme\n"


def rows():
    return Dataset().load(CSV, format="csv")


class ImportTest(TestCase):
    def setUp(self):
        Maker.objects.create(name="Acme")

    def test_there_and_back(self):
        done = ItemResource().import_data(rows(), raise_errors=True)
        self.assertEqual(done.totals["new"], 3)
        self.assertEqual(Item.objects.filter(maker__name="Acme").count(), 2)
        exported = ItemResource().export(Item.objects.order_by("code"))
        self.assertEqual(exported.csv.replace("\r\n", "\n"), CSV)
        done = ItemResource().import_data(rows(), raise_errors=True)
        self.assertEqual(done.totals[RowResult.IMPORT_TYPE_SKIP], 3)

    def test_a_trial_changes_nothing(self):
        done = ItemResource().import_data(rows(), dry_run=True)
        self.assertEqual(done.totals["new"], 3)
        self.assertEqual(Item.objects.count(), 0)

    def test_a_wrong_row_takes_back_all(self):
        bad = rows()
        bad.append(("d4", "much", "", ""))
        done = ItemResource().import_data(bad, use_transactions=True)
        self.assertTrue(done.has_errors() or done.has_validation_errors())
        self.assertEqual(Item.objects.count(), 0)
        bad[3] = ("d4", "1", "", "Nobody")
        done = ItemResource().import_data(
            bad, use_transactions=True, rollback_on_validation_errors=True
        )
        self.assertTrue(done.has_errors())
        self.assertEqual(Item.objects.count(), 0)

    def test_many_at_once(self):
        Item.objects.create(code="c3")
        done = BulkResource().import_data(rows(), raise_errors=True)
        self.assertEqual((done.totals["new"], done.totals["update"]), (2, 1))
        self.assertEqual(str(Item.objects.get(code="c3").price), "20.00")


class ImportAdminTest(AdminCase):
    def test_pages(self):
        Maker.objects.create(name="Acme")
        url = "/admin/with_importing/item/"
        file = io.BytesIO(CSV.encode())
        file.name = "items.csv"
        done = self.client.post(
            url + "import/", {"import_file": file, "format": "0", "resource": ""}
        )
        self.assertEqual(done.status_code, 200)
        self.assertEqual(Item.objects.count(), 0)
        form = done.context["confirm_form"]
        self.send(
            url + "process_import/", **{k: v for k, v in form.initial.items() if v is not None}
        )
        self.assertEqual(Item.objects.count(), 3)
        self.assertContains(self.client.get(url), "3 items")
        self.open(Item.objects.latest("pk"))
        fields = {f"itemresource_{name}": "on" for name in ("code", "price", "since", "maker")}
        done = self.client.post(url + "export/", {"format": "0", "resource": "0", **fields})
        self.assertContains(done, "a1,1.50,2024-05-01,Acme")
