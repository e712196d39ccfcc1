# SPDX-License-Identifier: Apache-2.0
"""What MongoDB's own backend lists as its limits, line by line; test_project.py runs these on each
store. Those of fields stand in tests/python/seed_001 and seed_003."""

import datetime
import hashlib
import io
import os
import tempfile
import zoneinfo
from unittest import mock

from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.flatpages.models import FlatPage
from django.contrib.redirects.models import Redirect
from django.contrib.sessions.models import Session
from django.contrib.sites.models import Site
from django.core.cache import caches
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.models import DateField, DateTimeField, F, IntegerField, Q, Sum, Value
from django.db.models import functions as fn
from django.http import HttpResponse
from django.test import TestCase, TransactionTestCase, modify_settings, override_settings
from django.urls import path
from django.utils import timezone

from limits.models import Thing
from mongodb.backend.base import DatabaseWrapper

UTC = datetime.UTC


def fails(request):
    Thing.objects.create(name="undone")
    if "well" in request.GET:
        return HttpResponse()
    raise ZeroDivisionError


urlpatterns = [path("fails/", fails)]


def said(*command, **options):
    out = io.StringIO()
    call_command(*command, stdout=out, stderr=out, **options)
    return out.getvalue()


class SettingsTests(TransactionTestCase):
    @override_settings(ROOT_URLCONF="limits.tests")
    def test_atomic_requests(self):
        with mock.patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True):
            self.client.raise_request_exception = False
            self.assertEqual(self.client.get("/fails/").status_code, 500)
            self.assertFalse(Thing.objects.exists())
            self.client.get("/fails/?well=1")
            self.assertTrue(Thing.objects.exists())

    def test_autocommit(self):
        transaction.set_autocommit(False)
        try:
            Thing.objects.create(name="undone")
            transaction.rollback()
            self.assertFalse(Thing.objects.exists())
            Thing.objects.create(name="kept")
            transaction.commit()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
        self.assertEqual(Thing.objects.get().name, "kept")

    def test_conn_health_checks(self):
        self.assertFalse(Thing.objects.exists())
        connection.health_check_enabled, connection.health_check_done = True, False
        before = connection.connection
        with mock.patch.object(DatabaseWrapper, "is_usable", return_value=False):
            self.assertFalse(Thing.objects.exists())
        self.assertIsNot(connection.connection, before)
        self.assertTrue(connection.is_usable())
        connection.health_check_enabled = False

    def test_time_zone(self):
        moment = datetime.datetime(2024, 7, 1, 12, 0, 0, 1, tzinfo=UTC)
        with mock.patch.dict(connection.settings_dict, TIME_ZONE="Europe/Berlin"):
            self.forget_zone()
            thing = Thing.objects.create(made=moment)
            self.assertEqual(Thing.objects.get(made=moment), thing)
            with timezone.override(UTC):
                self.assertEqual(Thing.objects.get(made__hour=12).made, moment)
            [stored] = connection.documents({"find": "limits_thing"})
            self.assertEqual(stored["made"].hour, 14)
        self.forget_zone()

    def forget_zone(self):
        for name in ("timezone", "timezone_name"):
            connections["default"].__dict__.pop(name, None)


class FunctionTests(TestCase):
    def test_functions(self):
        Thing.objects.create(name="Ab", number=-5, made=datetime.datetime(2024, 8, 1, tzinfo=UTC))
        for made, expected in [
            (fn.Chr(Value(65)), "A"),
            (fn.Ord("name"), 65),
            (fn.ExtractQuarter("made"), 3),
            (fn.LPad("name", 4, Value("x")), "xxAb"),
            (fn.RPad("name", 4, Value("x")), "Abxx"),
            (fn.Repeat("name", 2), "AbAb"),
            (fn.Reverse("name"), "bA"),
            (fn.Right("name", 1), "b"),
            (fn.Sign("number"), -1),
            *((getattr(fn, one)("name"), getattr(hashlib, one.lower())(b"Ab").hexdigest())
              for one in ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")),
        ]:  # fmt: skip
            with self.subTest(made):
                self.assertEqual(Thing.objects.annotate(x=made).get().x, expected)
        now = Thing.objects.annotate(x=fn.Now()).get().x
        self.assertLess(abs(now - datetime.datetime.now(UTC)), datetime.timedelta(minutes=5))

    def test_tzinfo_of_trunc(self):
        zone = zoneinfo.ZoneInfo("Asia/Tokyo")
        Thing.objects.create(made=datetime.datetime(2024, 5, 1, 20, tzinfo=UTC))
        day = Thing.objects.annotate(x=fn.TruncDay("made", tzinfo=zone)).get().x
        self.assertEqual(day, datetime.datetime(2024, 5, 2, tzinfo=zone))
        hour = Thing.objects.annotate(x=fn.TruncHour("made", tzinfo=zone)).get().x
        self.assertEqual(hour, datetime.datetime(2024, 5, 2, 5, tzinfo=zone))


class FieldTests(TestCase):
    def test_json_null_is_not_sql_null(self):
        Thing.objects.create(name="sql", value=None)
        null = Value(None, Thing._meta.get_field("value"))
        Thing.objects.create(name="json", value=null)
        self.assertEqual(Thing.objects.get(value__isnull=True).name, "sql")
        self.assertEqual(
            Thing.objects.get(value=null).name, "json"
        )  # None warns from Django 6.1 on

    def test_json_keys_with_q_and_exclude(self):
        for name, value in [("a", {"foo": "bar"}), ("b", {"foo": "x"}), ("c", {"j": None})]:
            Thing.objects.create(name=name, value=value)
        self.assertEqual(Thing.objects.get(Q(value__foo="bar")).name, "a")
        rest = Thing.objects.exclude(Q(value__foo="bar")).order_by("name")
        self.assertEqual([one.name for one in rest], ["b"])  # as in SQL: of no key nothing is known
        self.assertEqual(Thing.objects.get(value__j=None).name, "c")

    def test_dollar_signs_and_periods_in_json_keys(self):
        value = {"$a": 1, "b.c": {"$d.e": [2]}}
        Thing.objects.create(name="a", value=value)
        Thing.objects.create(name="b", value={"b": {"c": 1}})
        found = Thing.objects.get(value__has_key="$a")
        self.assertEqual(found.value, value)
        self.assertEqual(Thing.objects.get(**{"value__$a": 1}), found)
        self.assertEqual(Thing.objects.get(**{"value__b.c__$d.e__0": 2}), found)
        self.assertEqual(Thing.objects.get(value=value), found)

    def test_columns_with_dollar_signs_or_periods_are_refused(self):
        for name, many in [("$a", 1), ("a.b", 1), ("a$b", 0)]:
            field = IntegerField(db_column=name)
            field.set_attributes_from_name("x")
            found = connection.validation.check_field(field)
            self.assertEqual([one.id for one in found], ["mongodb.E020"] * many)

    def test_keys_that_end_at_the_millisecond_are_warned_of(self):
        for made, many in [(DateTimeField(primary_key=True), 1), (DateTimeField(unique=True), 0),
                           (DateField(primary_key=True), 0)]:  # fmt: skip
            made.set_attributes_from_name("x")
            found = connection.validation.check_field(made)
            self.assertEqual([one.id for one in found], ["mongodb.W021"] * many)

    def test_microseconds(self):
        moment = datetime.datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
        took = datetime.timedelta(microseconds=1234567)
        Thing.objects.create(made=moment, took=took)
        found = Thing.objects.get(made=moment, took=took)
        self.assertEqual((found.made, found.took), (moment, took))

    def test_generated_field(self):
        thing = Thing.objects.create(number=4)
        Thing.objects.update(number=F("number") + 1)
        thing.refresh_from_db()
        self.assertEqual(Thing.objects.get(double=10), thing)


class QuerySetTests(TestCase):
    def setUp(self):
        self.one, self.two, self.three = (
            Thing.objects.create(
                name=name, number=i, made=datetime.datetime(2024, i, 3, tzinfo=UTC)
            )
            for i, name in enumerate(("x", "x", "y"), 1)
        )
        Thing.objects.exclude(pk=self.one.pk).update(owner=self.one)
        self.one.friends.add(self.two)

    def test_distinct_dates_and_datetimes(self):
        names = Thing.objects.order_by("name").values_list("name", flat=True).distinct()
        self.assertEqual(list(names), ["x", "y"])
        firsts = Thing.objects.distinct("name").order_by("name", "-number")
        self.assertEqual([one.number for one in firsts], [2, 3])
        months = Thing.objects.dates("made", "month", order="DESC")
        self.assertEqual([day.month for day in months], [3, 2, 1])
        self.assertEqual(Thing.objects.datetimes("made", "year").get().month, 1)

    def test_prefetch_related(self):
        with self.assertNumQueries(3):
            found = Thing.objects.prefetch_related("owned", "friends").order_by("pk")
            self.assertEqual([len(one.owned.all()) for one in found], [2, 0, 0])
            self.assertEqual([len(one.friends.all()) for one in found], [1, 1, 0])

    def test_extra(self):
        found = Thing.objects.extra(
            select={"more": "number + 1"}, where=["number > %s"], params=[2]
        )
        self.assertEqual(found.get().more, 4)

    def test_delete_and_update_over_collections(self):
        self.assertEqual(Thing.objects.filter(owner__name="x").update(number=9), 2)
        self.assertEqual(Thing.objects.filter(friends__name="x", owner=None).update(number=7), 1)
        Thing.objects.filter(owner__number=7, name="y").delete()
        self.assertEqual(Thing.objects.count(), 2)


class AsyncTests(TransactionTestCase):
    async def test_async_calls(self):
        thing = await Thing.objects.acreate(name="a")
        await Thing.objects.abulk_create([Thing(name="b"), Thing(name="c")])
        self.assertEqual([one.name async for one in Thing.objects.order_by("name")], [*"abc"])
        self.assertEqual(await Thing.objects.acount(), 3)
        self.assertEqual(await Thing.objects.filter(name="b").aupdate(number=2), 1)
        self.assertEqual((await Thing.objects.aget(number=2)).name, "b")
        found, made = await Thing.objects.aget_or_create(name="a")
        self.assertEqual((found, made), (thing, False))
        self.assertEqual(await Thing.objects.aaggregate(x=Sum("number")), {"x": 2})
        thing.name = "z"
        await thing.asave()
        await thing.arefresh_from_db()
        await thing.friends.aadd(found)
        self.assertTrue(await thing.friends.aexists())
        await thing.adelete()
        self.assertFalse(await Thing.objects.filter(name="z").aexists())


class CommandTests(TransactionTestCase):
    available_apps = None

    def test_sqlflush_and_sqlsequencereset(self):
        self.assertIn('DELETE FROM "limits_thing"', said("sqlflush"))
        self.assertIn("'limits_thing'", said("sqlsequencereset", "limits"))

    def test_optimizemigration_and_check(self):
        self.assertIn("No optimizations", said("optimizemigration", "auth", "0001"))
        self.assertIn("no issues", said("check", databases=["default"]))

    def test_inspectdb(self):
        text = said("inspectdb", "limits_thing")
        self.assertIn("name = models.CharField(max_length=20)", text)

    def test_createcachetable(self):
        table = {"default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache",
                             "LOCATION": "limits_cache"}}  # fmt: skip
        with override_settings(CACHES=table):
            call_command("createcachetable", verbosity=0)
            cache = caches["default"]
            cache.set_many({"a": [1], "b": 2})
            cache.set("gone", 1, timeout=-1)
            self.assertEqual((cache.get("a"), cache.incr("b")), ([1], 3))
            self.assertIsNone(cache.get("gone"))
            cache.clear()
            self.assertIsNone(cache.get("a"))
        with connection.cursor() as cursor:
            cursor.execute('DROP TABLE "limits_cache"')

    def test_dumpdata_and_loaddata(self):
        one = Thing.objects.create(name="a", value={"x": [None]}, took=datetime.timedelta(1))
        one.friends.add(Thing.objects.create(name="b", owner=one))
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("json", "xml", "jsonl"):
                file = os.path.join(folder, f"things.{kind}")
                call_command("dumpdata", "limits", format=kind, output=file)
                Thing.objects.all().delete()
                call_command("loaddata", file, verbosity=0)
                found = Thing.objects.get(owned__name="b")
                self.assertEqual((found.value, found.friends.count()), ({"x": [None]}, 1))

    def test_migrate_fake_initial(self):
        recorded = ("delete from django_migrations where app = 'sessions'",)
        with connection.cursor() as cursor:
            cursor.execute(*recorded)
        self.assertIn("Applying sessions.0001_initial... FAKED",
                      said("migrate", "sessions", fake_initial=True))  # fmt: skip

    def test_dbshell_names_the_program_it_needs(self):
        with (
            mock.patch.dict(os.environ, PATH=""),
            self.assertRaisesMessage(CommandError, "mongosh"),
        ):
            call_command("dbshell")


class ContribTests(TestCase):
    def test_sessions(self):
        User.objects.create_user("ann", password="pw")
        for engine in ("db", "cached_db"):
            with override_settings(SESSION_ENGINE=f"django.contrib.sessions.backends.{engine}"):
                Session.objects.all().delete()
                self.assertTrue(self.client.login(username="ann", password="pw"))
                self.assertEqual(Session.objects.get().session_key, self.client.session.session_key)
                Session.objects.update(expire_date=datetime.datetime(2020, 1, 1, tzinfo=UTC))
                call_command("clearsessions")
                self.assertFalse(Session.objects.exists())

    @modify_settings(MIDDLEWARE={"append": [
        "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
        "django.contrib.redirects.middleware.RedirectFallbackMiddleware",
    ]})  # fmt: skip
    def test_sites_flatpages_and_redirects(self):
        site = Site.objects.get_current()
        self.assertEqual(site.domain, "example.com")
        page = FlatPage.objects.create(url="/about/", title="About", content="we",
                                       template_name="limits/page.html")  # fmt: skip
        page.sites.add(site)
        Redirect.objects.create(site=site, old_path="/old/", new_path="/about/")
        self.assertContains(self.client.get("/about/"), "About: we")
        self.assertRedirects(self.client.get("/old/"), "/about/", 301)
        self.client.force_login(User.objects.create_superuser("root", password="pw"))
        for row in (site, page, Redirect.objects.get()):
            url = f"/admin/{row._meta.app_label}/{row._meta.model_name}/"
            self.assertContains(self.client.get(url), "1 ")
            self.assertEqual(self.client.get(f"{url}{row.pk}/change/").status_code, 200)
        self.assertTrue(apps.is_installed("django.contrib.sites"))
