# SPDX-License-Identifier: Apache-2.0
import datetime

from django.test import TestCase

from with_filters.models import Brand, Car
from with_filters.views import CarFilter


class FilterTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.brands = {name: Brand.objects.create(name=name) for name in ("Alfa", "Benz")}
        for name, price, year, fuel, sold, brand in [
            ("Spider", "100.50", 1990, "p", True, "Alfa"),
            ("Kamm", "20", 2021, "e", None, "Alfa"),
            ("Wagen", "55", 2021, "p", False, "Benz"),
        ]:
            car = Car.objects.create(
                name=name, price=price, fuel=fuel, sold=sold, brand=cls.brands[brand],
                built=datetime.datetime(year, 6, 1, 12, tzinfo=datetime.UTC),
            )  # fmt: skip
            car.extras.add(cls.brands["Benz"])

    def test_every_kind_of_filter(self):
        alfa, benz = (self.brands[name].pk for name in ("Alfa", "Benz"))
        for asked, expected in [
            ({"name": "A"}, "Kamm Wagen"),
            ({"price_min": "50", "price_max": "60"}, "Wagen"),
            ({"built_after": "2021-06-01", "built_before": "2021-06-01"}, "Kamm Wagen"),
            ({"year": "1990"}, "Spider"),
            ({"years": "year"}, ""),
            ({"fuels": ["p"]}, "Spider Wagen"),
            ({"fuels": ["p", "e"]}, "Kamm Spider Wagen"),
            ({"names": "Kamm,Spider"}, "Kamm Spider"),
            ({"any_text": "be"}, "Wagen"),
            ({"any_text": "LF"}, "Kamm Spider"),
            ({"brands": "Benz"}, "Wagen"),
            ({"brand": alfa}, "Kamm Spider"),
            ({"extras": [alfa]}, ""),
            ({"extras": [benz]}, "Kamm Spider Wagen"),
            ({"brand__name__startswith": "A"}, "Kamm Spider"),
            ({"fuel": "e", "unsold": "true"}, "Kamm"),
            ({"sold": "false"}, "Wagen"),
        ]:
            with self.subTest(asked):
                filtered = CarFilter(asked, Car.objects.all())
                self.assertTrue(filtered.is_valid(), filtered.errors)
                self.assertEqual(
                    sorted(filtered.qs.values_list("name", flat=True)), expected.split()
                )

    def test_order(self):
        for order, expected in [("price", "Kamm"), ("-price", "Spider"), ("-brand__name", "Wagen")]:
            self.assertEqual(CarFilter({"order": order}, Car.objects.all()).qs[0].name, expected)

    def test_what_is_wrong_is_told(self):
        self.assertIn("price", CarFilter({"price_min": "x"}, Car.objects.all()).errors)
        self.assertIn("brand", CarFilter({"brand": "99"}, Car.objects.all()).errors)

    def test_a_view(self):
        self.assertContains(self.client.get("/cars/", {"fuel": "e"}), "[Kamm]")
