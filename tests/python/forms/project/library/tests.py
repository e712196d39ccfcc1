# SPDX-License-Identifier: Apache-2.0
"""Generic views and the admin, over documents."""

import datetime
import re

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.core.checks import run_checks
from django.core.management import call_command
from django.test import TestCase
from django.urls import reverse

from library.documents import Author, Book, Club, House
from mongodb.admin import DocumentAdmin

AT = datetime.datetime(2024, 5, 6, 7, 8)


class ClubAdmin(DocumentAdmin):
    list_filter = ["members", "members__name"]


class Shelf(TestCase):
    def setUp(self):
        self.ada = Author(name="Ada").save()
        self.bob = Author(name="Bob").save()
        Book(title="One", slug="one", author=self.ada, bought=AT,
             imprint={"city": "Rome", "year": 1999}).save()  # fmt: skip
        Book(title="Two", slug="two", author=self.bob, genre="p", lent=True,
             bought=AT.replace(month=7)).save()  # fmt: skip
        Book(title="Three", slug="three", author=self.ada, bought=AT.replace(year=2023)).save()


class GenericViews(Shelf):
    def test_lists_have_pages(self):
        self.assertContains(self.client.get("/books/"), "[One][Three] page 1 of 2")
        self.assertContains(self.client.get("/books/?page=2"), "[Two] page 2 of 2")
        self.assertEqual(self.client.get("/books/?page=3").status_code, 404)
        self.assertContains(self.client.get("/poems/"), "[Two]")

    def test_details_by_slug(self):
        self.assertContains(self.client.get("/books/one/"), "One by Ada Novel")
        self.assertEqual(self.client.get("/books/nope/").status_code, 404)

    def test_create_and_change(self):
        page = self.client.get("/new/")
        self.assertContains(page, 'name="title"')
        self.assertContains(page, str(self.ada.pk))
        sent = {
            "title": "Four",
            "slug": "one",
            "author": str(self.ada.pk),
            "genre": "n",
            "tags": "a\nb",
        }
        page = self.client.post("/new/", sent)
        self.assertContains(page, "Book with this Slug already exists.")
        page = self.client.post("/new/", {**sent, "slug": "four"})
        self.assertRedirects(page, "/books/four/")
        self.assertEqual(Book.objects.get(slug="four").tags, ["a", "b"])
        page = self.client.post("/books/four/change/", {"title": ""})
        self.assertContains(page, "This field is required.")
        self.client.post("/books/four/change/", {"title": "Fore"})
        self.assertEqual(Book.objects.get(slug="four").title, "Fore")

    def test_delete(self):
        book = Book.objects.get(slug="one")
        self.assertContains(self.client.get(f"/keys/{book.pk}/delete/"), "Delete One?")
        self.assertRedirects(self.client.post(f"/keys/{book.pk}/delete/"), "/books/")
        self.assertEqual(Book.objects(slug="one").count(), 0)

    def test_shortcuts(self):
        book = Book.objects.get(slug="one")
        self.assertContains(self.client.get(f"/keys/{book.pk}/"), "One")
        self.assertEqual(self.client.get("/keys/5f5f5f5f5f5f5f5f5f5f5f5f/").status_code, 404)

    def test_ids_in_urls(self):
        book = Book.objects.get(slug="one")
        self.assertContains(self.client.get(reverse("book-by-id", args=[book.pk])), "One")
        self.assertEqual(self.client.get("/ids/5f5f5f5f5f5f5f5f5f5f5f5f/").status_code, 404)
        self.assertEqual(self.client.get("/ids/nonsense/").status_code, 404)


class Registry(TestCase):
    def test_documents_are_found_by_name(self):
        self.assertIs(apps.get_model("library", "Book"), Book)
        self.assertIs(apps.get_model("library.book"), Book)
        with self.assertRaises(LookupError):
            apps.get_model("library", "Nope")
        self.assertNotIn(Book, list(apps.get_models()))

    def test_no_migration_is_made_for_documents(self):
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)

    def test_content_types_and_permissions(self):
        found = ContentType.objects.get(app_label="library", model="book")
        self.assertIs(found.model_class(), Book)
        self.assertEqual(found.name, "book")
        names = Permission.objects.filter(content_type__app_label="library")
        self.assertEqual(
            sorted(names.values_list("codename", flat=True)),
            sorted([f"{a}_{m}" for a in ("add", "change", "delete", "view")
                    for m in ("author", "book", "club", "house")] + ["honour_author"]),
        )  # fmt: skip

    def test_checks_find_nothing(self):
        self.assertEqual([one for one in run_checks() if one.id[:5] == "admin"], [])

    def test_checks_find_mistakes(self):
        class Wrong(admin.ModelAdmin):
            list_display = ["nope"]
            list_filter = ["nope"]
            inlines = [type("Models", (admin.TabularInline,), {"model": User})]

        site = admin.AdminSite()
        site.register(Book, Wrong)
        self.assertEqual({one.id for one in site._registry[Book].check()},
                         {"admin.E108", "admin.E116", "mongodb.E101"})  # fmt: skip
        site.unregister(Book)
        self.assertFalse(site.is_registered(Book))


class Admin(Shelf):
    def setUp(self):
        super().setUp()
        self.root = User.objects.create_superuser("root", password="x")
        self.client.force_login(self.root)

    def names(self, query):
        page = self.client.get(f"/admin/library/book/?{query}")
        self.assertEqual(page.status_code, 200, page)
        found = re.findall(r'/admin/library/book/[0-9a-f]{24}/change/[^>]*">(\w+)</a>',
                           page.content.decode())  # fmt: skip
        return found

    def test_index(self):
        page = self.client.get("/admin/")
        self.assertContains(page, "/admin/library/book/add/")

    def test_list(self):
        page = self.client.get("/admin/library/book/")
        for text in ("Rome", "Novel", "Ada", "THREE", "3 books", "column-imprint__city"):
            self.assertContains(page, text)
        self.assertEqual(self.names(""), ["One", "Three", "Two"])
        self.assertEqual(self.names("o=-1"), ["Two", "Three", "One"])
        self.assertEqual(self.names("o=3.-1"), ["Two", "Three", "One"])

    def test_search(self):
        self.assertEqual(self.names("q=t"), ["Three", "Two"])
        self.assertEqual(self.names("q=rom"), ["One"])
        self.assertEqual(self.names("q=.*"), [])

    def test_filters(self):
        self.assertEqual(self.names("genre__exact=p"), ["Two"])
        self.assertEqual(self.names("lent__exact=1"), ["Two"])
        self.assertEqual(self.names("lent__exact=0"), ["One", "Three"])
        self.assertEqual(self.names(f"author__id__exact={self.ada.pk}"), ["One", "Three"])
        self.assertEqual(self.names("bought__gte=2024-06-01+00:00:00%2B00:00"), ["Two"])
        self.assertEqual(self.names("imprint__city=Rome"), ["One"])
        page = self.client.get("/admin/library/book/")
        for text in ("?genre__exact=n", "?lent__exact=1", f"author__id__exact={self.bob.pk}",
                     "bought__gte", "?imprint__city=Rome"):  # fmt: skip
            self.assertContains(page, text)
        page = self.client.get("/admin/library/book/?author__id__exact=nonsense")
        self.assertRedirects(page, "/admin/library/book/?e=1")
        page = self.client.get("/admin/library/book/?_facets=True")
        self.assertContains(page, "Poems (1)")

    def test_an_address_asks_nothing_of_other_documents(self):
        Club(name="Readers", members=[self.ada], offices={"chair": self.ada},
             seats=[{"holder": self.ada}]).save()  # fmt: skip
        for path in ("members", "members__0", "offices__chair", "seats__0__holder"):
            for asked in ("name=Ada", "name__startswith=A", "not__name=Bob", "house__name=x"):
                page = self.client.get(f"/admin/library/club/?{path}__{asked}")
                self.assertIn(page.status_code, (302, 400), (path, asked))
        mine = f"/admin/library/club/?members__id__exact={self.ada.pk}"
        self.assertIn(self.client.get(mine).status_code, (200, 302))
        asks = ClubAdmin(Club, admin.site).lookup_allowed
        for lookup, allowed in (
            ("members__name", True),
            ("members__name__startswith", True),
            ("members__id__exact", True),
            ("members__house__name", False),
            ("members__0__name", False),
            ("offices__chair__name", False),
        ):
            self.assertEqual(asks(lookup, "x", None), allowed, lookup)

    def test_dates(self):
        page = self.client.get("/admin/library/book/")
        self.assertContains(page, "?bought__year=2023")
        self.assertEqual(self.names("bought__year=2024"), ["One", "Two"])
        self.assertEqual(self.names("bought__year=2024&bought__month=7"), ["Two"])
        self.assertContains(self.client.get("/admin/library/book/?bought__year=2024"),
                            "bought__month=5")  # fmt: skip

    def test_pages(self):
        for at in range(25):
            Book(title=f"B{at:02}", slug=f"b{at}", author=self.ada).save()
        self.assertEqual(len(self.names("p=2")), 10)
        self.assertEqual(len(self.names("p=3")), 8)

    def test_edited_in_the_list(self):
        books = list(Book.objects.order_by("title"))
        sent = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "3", "_save": "Save"}
        for at, one in enumerate(books):
            sent[f"form-{at}-id"] = str(one.pk)
        page = self.client.post("/admin/library/book/", {**sent, "form-0-lent": "on"}, follow=True)
        self.assertContains(page, "2 books were changed successfully.")
        self.assertEqual([one.lent for one in Book.objects], [True, False, False])

    FORM = {
        "title": "Four", "slug": "four", "genre": "p", "tags": "x", "bought_0": "2024-01-02",
        "bought_1": "03:04", "imprint-city": "Oslo", "imprint-year": "1500",
        "remarks-TOTAL_FORMS": "1", "remarks-INITIAL_FORMS": "0", "remarks-0-text": "Good",
        "remarks-0-stars": "5",
    }  # fmt: skip

    def test_add_change_history_and_delete(self):
        page = self.client.get("/admin/library/book/add/")
        for text in ('name="remarks-__prefix__-text"', 'name="imprint-city"', "vDateField"):
            self.assertContains(page, text)
        self.assertNotContains(page, 'id="id_remarks-0-remarks')
        bad = {**self.FORM, "author": "", "imprint-year": "3", "remarks-0-text": ""}
        page = self.client.post("/admin/library/book/add/", bad)
        self.assertContains(page, "This field is required.", 2)
        self.assertContains(page, "greater than or equal to 1400")
        sent = {**self.FORM, "author": str(self.ada.pk)}
        page = self.client.post("/admin/library/book/add/", sent, follow=True)
        self.assertContains(page, "was added successfully")
        book = Book.objects.get(slug="four")
        self.assertEqual((book.imprint.city, book.remarks[0].text, book.remarks[0].stars),
                         ("Oslo", "Good", 5))  # fmt: skip
        url = f"/admin/library/book/{book.pk}"
        page = self.client.get(f"{url}/change/")
        for text in ('value="Oslo"', 'value="Good"', 'value="03:04:00"', "FOUR"):
            self.assertContains(page, text)
        changed = {**sent, "title": "Fore", "remarks-TOTAL_FORMS": "2", "remarks-1-text": "Bad",
                   "remarks-INITIAL_FORMS": "1", "remarks-0-DELETE": "on"}  # fmt: skip
        page = self.client.post(f"{url}/change/", changed, follow=True)
        self.assertContains(page, "was changed successfully")
        book = Book.objects.get(slug="four")
        self.assertEqual((book.title, [str(one) for one in book.remarks]), ("Fore", ["Bad"]))
        page = self.client.get(f"{url}/history/")
        self.assertContains(page, "Changed Title. Added remark “Bad”. Deleted remark “Good”.")
        self.assertEqual(LogEntry.objects.first().get_edited_object(), book)
        self.assertContains(self.client.get("/admin/"), "Fore")
        self.assertContains(self.client.get(f"{url}/delete/"), "Are you sure")
        page = self.client.post(f"{url}/delete/", {"post": "yes"}, follow=True)
        self.assertContains(page, "was deleted successfully")
        self.assertEqual(Book.objects(slug="four").count(), 0)
        self.assertEqual(self.client.get(f"{url}/change/", follow=True).redirect_chain[0][0],
                         "/admin/")  # fmt: skip

    def test_actions(self):
        chosen = {"_selected_action": [str(one.pk) for one in Book.objects], "index": "0"}
        self.client.post("/admin/library/book/", {**chosen, "action": "lend"})
        self.assertEqual(Book.objects(lent=True).count(), 3)
        page = self.client.post("/admin/library/book/", {**chosen, "action": "delete_selected"})
        self.assertContains(page, "Are you sure you want to delete the selected books?")
        self.assertContains(page, "Books: 3")
        sent = {**chosen, "action": "delete_selected", "post": "yes"}
        page = self.client.post("/admin/library/book/", sent, follow=True)
        self.assertContains(page, "Successfully deleted 3 books.")
        self.assertEqual(Book.objects.count(), 0)

    def test_deletion_shows_what_goes_along_and_what_forbids_it(self):
        house = House(name="Faber").save()
        self.ada.house = house
        self.ada.save()
        page = self.client.get(f"/admin/library/author/{self.ada.pk}/delete/")
        self.assertContains(page, "Books: 2")
        page = self.client.get(f"/admin/library/house/{house.pk}/delete/")
        self.assertContains(page, "would require deleting the following protected related objects")
        self.client.post(f"/admin/library/author/{self.ada.pk}/delete/", {"post": "yes"})
        self.assertEqual(list(Book.objects.scalar("title")), ["Two"])

    def test_references(self):
        page = self.client.get(
            "/admin/autocomplete/?app_label=library&model_name=book&field_name=author&term=ad"
        )
        self.assertEqual(page.json()["results"], [{"id": str(self.ada.pk), "text": "Ada"}])
        book = Book.objects.get(slug="one")
        page = self.client.get(f"/admin/library/book/{book.pk}/change/")
        self.assertContains(page, f'<option value="{self.ada.pk}" selected>Ada</option>')
        house = House(name="Faber").save()
        self.client.post(f"/admin/library/author/{self.bob.pk}/change/",
                         {"name": "Bob", "house": str(house.pk)})  # fmt: skip
        self.assertEqual(Author.objects.get(name="Bob").house, house)
        page = self.client.get(f"/admin/library/author/{self.bob.pk}/change/")
        self.assertContains(page, "vForeignKeyRawIdAdminField")
        self.assertContains(page, "Faber")
        page = self.client.post("/admin/library/author/add/?_popup=1",
                                {"name": "Cy", "_popup": "1"})  # fmt: skip
        self.assertContains(page, str(Author.objects.get(name="Cy").pk))

    def test_permissions(self):
        reader = User.objects.create_user("reader", password="x", is_staff=True)
        self.client.force_login(reader)
        book = Book.objects.get(slug="one")
        url = f"/admin/library/book/{book.pk}/change/"
        self.assertEqual(self.client.get(url).status_code, 403)
        self.assertEqual(self.client.get("/admin/library/book/").status_code, 403)
        reader.user_permissions.add(Permission.objects.get(codename="view_book"))
        page = self.client.get(url)
        self.assertContains(page, "Rome")
        self.assertNotContains(page, 'name="title"')
        self.assertEqual(self.client.post(url, {"title": "No"}).status_code, 403)
        self.assertEqual(Book.objects.get(pk=book.pk).title, "One")
