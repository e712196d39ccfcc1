# SPDX-License-Identifier: Apache-2.0
"""The ORM and the admin as a project uses them; test_project.py runs these on each store."""

import datetime
import unittest
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Avg, Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.test import TestCase, TransactionTestCase

from shop.models import Author, Book


class QueryTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ada = Author.objects.create(name="Ada")
        cls.bob = Author.objects.create(name="Bob")
        for i in range(10):
            Book.objects.create(
                title=f"Book {i}",
                pages=i * 10 if i % 3 else None,
                price=Decimal(i),
                author=cls.ada if i % 2 else cls.bob,
            )

    def titles(self, queryset):
        return list(queryset.order_by("pk").values_list("title", flat=True))

    def test_keys_are_whole_numbers(self):
        self.assertEqual([type(self.ada.pk), self.bob.pk - self.ada.pk], [int, 1])

    def test_a_value_that_was_stored_comes_back_with_its_type(self):
        book = Book.objects.create(
            title="T", price="3.50", day=datetime.date(2024, 2, 29), author=self.ada
        )
        book.refresh_from_db()
        self.assertEqual(book.price, Decimal("3.50"))
        self.assertEqual(book.day, datetime.date(2024, 2, 29))
        self.assertEqual(book.added.utcoffset(), datetime.timedelta(0))

    def test_null_is_neither_true_nor_false(self):
        few, rest = Q(pages__lt=50), ~Q(pages__lt=50)
        self.assertEqual(Book.objects.filter(few).count(), 3)
        # Django's exclude() keeps the rows for which the condition is unknown
        self.assertEqual(Book.objects.filter(rest).count(), 7)
        self.assertEqual(Book.objects.filter(pages__gt=F("pages")).count(), 0)
        self.assertEqual(Book.objects.exclude(pages__in=[10, 20]).filter(pages=None).count(), 4)

    def test_joins_both_ways(self):
        self.assertEqual(self.titles(Book.objects.filter(author__name="Ada"))[0], "Book 1")
        self.assertEqual(Author.objects.filter(books__pages__gt=75).get(), self.bob)
        with self.assertNumQueries(1):
            names = [b.author.name for b in Book.objects.select_related("author")[:3]]
        self.assertEqual(len(names), 3)

    def test_many_to_many_with_prefetch(self):
        book = Book.objects.first()
        book.readers.add(self.ada, self.bob)
        book.readers.add(self.ada)
        with self.assertNumQueries(2):
            found = Book.objects.prefetch_related("readers").get(pk=book.pk)
            self.assertEqual(len(found.readers.all()), 2)

    def test_aggregates_of_something_and_of_nothing(self):
        self.assertEqual(
            Book.objects.aggregate(n=Count("pages"), s=Sum("pages"), a=Avg("pages")),
            {"n": 6, "s": 270, "a": 45.0},
        )
        self.assertEqual(
            Book.objects.filter(pk=-1).aggregate(n=Count("*"), s=Sum("pages")), {"n": 0, "s": None}
        )
        counted = Author.objects.annotate(n=Count("books", filter=Q(books__pages__gt=30)))
        self.assertEqual(dict(counted.values_list("name", "n")), {"Ada": 2, "Bob": 2})

    def test_subqueries(self):
        longest = Book.objects.filter(author=OuterRef("pk")).order_by("-pages")
        found = Author.objects.annotate(t=Subquery(longest.values("title")[:1])).order_by("name")
        self.assertEqual([one.t for one in found], ["Book 7", "Book 8"])
        self.assertEqual(
            Author.objects.filter(Exists(longest.filter(pages__gt=75))).get(), self.bob
        )
        inside = Author.objects.filter(pk__in=Book.objects.filter(pages=80).values("author"))
        self.assertEqual(inside.get(), self.bob)

    @unittest.skipUnless(connection.features.is_embedded, "no $unionWith in a server's transaction")
    def test_set_operations_and_distinct(self):
        one, two = Book.objects.filter(pages__lt=30), Book.objects.filter(pages__gt=10)
        self.assertEqual(one.intersection(two).get().pages, 20)
        self.assertEqual(one.union(two).count(), 6)
        self.assertEqual(Book.objects.values_list("author").distinct().count(), 2)

    def test_changes_by_expressions_and_through_joins(self):
        self.assertEqual(Book.objects.filter(author__name="Ada").update(pages=F("id") + 1), 5)
        book = Book.objects.get(title="Book 1")
        self.assertEqual(book.pages, book.pk + 1)
        self.assertEqual(Book.objects.filter(author__name="Bob").delete()[0], 5)

    def test_raw_sql(self):
        found = Book.objects.raw("SELECT * FROM shop_book WHERE pages > %s ORDER BY pages", [60])
        self.assertEqual([book.pages for book in found], [70, 80])
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*), MAX(pages) FROM shop_book")
            self.assertEqual(cursor.fetchone(), (10, 80))

    def test_a_duplicate_names_its_field(self):
        with self.assertRaisesMessage(IntegrityError, "title"), transaction.atomic():
            Book.objects.create(title="Book 1", author=self.ada)

    def test_unique_lets_nulls_in(self):
        self.assertEqual(Book.objects.filter(code=None).count(), 10)
        Book.objects.filter(title="Book 1").update(code="x")
        with self.assertRaises(IntegrityError), transaction.atomic():
            Book.objects.filter(title="Book 2").update(code="x")

    def test_null_and_negative_numbers_are_refused(self):
        for change in ({"author_id": None}, {"pages": -1}):
            with self.subTest(change), self.assertRaises(IntegrityError), transaction.atomic():
                Book.objects.filter(title="Book 1").update(**change)


@unittest.skipUnless(connection.features.uses_savepoints, "nested atomic() needs savepoints")
class SavepointTests(TransactionTestCase):
    def test_a_nested_block_is_undone_alone(self):
        with transaction.atomic():
            Author.objects.create(name="kept")
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                Author.objects.create(name="undone")
                raise ZeroDivisionError
        self.assertEqual(Author.objects.get().name, "kept")

    def test_a_refused_statement_leaves_the_transaction_alive(self):
        author = Author.objects.create(name="a")
        Book.objects.create(title="same", author=author)
        with transaction.atomic():
            with self.assertRaises(IntegrityError), transaction.atomic():
                Book.objects.bulk_create(
                    [Book(title=t, author=author) for t in ("new", "same", "other")]
                )
            Book.objects.create(title="after", author=author)
        self.assertEqual(sorted(Book.objects.values_list("title", flat=True)), ["after", "same"])

    def test_on_commit_and_rollback(self):
        done = []
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            transaction.on_commit(lambda: done.append(1))
            Author.objects.create(name="undone")
            raise ZeroDivisionError
        self.assertEqual((done, Author.objects.count()), ([], 0))


class AdminTests(TestCase):
    def test_log_in_list_search_add_change_and_delete(self):
        User.objects.create_superuser("root", "root@example.com", "pw")
        self.assertTrue(self.client.login(username="root", password="pw"))
        author = Author.objects.create(name="Ada")
        body = {"title": "New", "pages": 3, "price": "2.00", "author": author.pk,
                "readers": [author.pk]}  # fmt: skip
        answer = self.client.post("/admin/shop/book/add/", body)
        self.assertEqual(answer.status_code, 302)
        book = Book.objects.get()
        page = self.client.get(f"/admin/shop/book/?q=ada&author__id__exact={author.pk}")
        self.assertContains(page, "New")
        answer = self.client.post(f"/admin/shop/book/{book.pk}/change/", {**body, "title": "Old"})
        self.assertRedirects(answer, "/admin/shop/book/")
        self.assertContains(self.client.get(f"/admin/shop/book/{book.pk}/history/"), "Title")
        answer = self.client.post(f"/admin/shop/book/{book.pk}/delete/", {"post": "yes"})
        self.assertEqual(Book.objects.count(), 0)
        self.assertContains(self.client.get("/admin/"), "Recent actions")
