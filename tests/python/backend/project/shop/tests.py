# SPDX-License-Identifier: Apache-2.0
"""The ORM and the admin as a project uses them; test_project.py runs these on each store."""

import contextlib
import datetime
import unittest
from decimal import Decimal

from django.contrib.auth.models import User
from django.core.management.color import no_style
from django.db import (
    DataError,
    IntegrityError,
    OperationalError,
    close_old_connections,
    connection,
    models,
    transaction,
)
from django.db.models import (
    Avg,
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Replace
from django.db.transaction import TransactionManagementError
from django.test import TestCase, TransactionTestCase

from shop.models import Author, Book, Note


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

    def test_a_value_that_looks_like_an_operator_is_a_value(self):
        Note.objects.create(key={"a": 1}, value=1)
        found = Note(key={"$exists": True}, value=666)
        Note.objects.bulk_create(
            [found], update_conflicts=True, unique_fields=["key"], update_fields=["value"]
        )
        self.assertEqual(Note.objects.get(key={"a": 1}).value, 1)
        self.assertEqual(Note.objects.count(), 2)

    def test_an_upsert_of_null_is_an_insert(self):
        Book.objects.bulk_create(
            [Book(title="one more", code=None, author=self.ada)],
            update_conflicts=True, unique_fields=["code"], update_fields=["title"],
        )  # fmt: skip
        self.assertEqual(Book.objects.count(), 11)

    def test_json_null_is_not_null(self):
        Note.objects.create(key=1, data=None)
        Note.objects.create(key=2, data=Value(None, Note._meta.get_field("data")))
        Note.objects.create(key=3, data={"a": [1, {"b": None}]})
        self.assertEqual(Note.objects.get(data__isnull=True).key, 1)
        self.assertEqual(Note.objects.get(data=Value(None, Note._meta.get_field("data"))).key, 2)
        self.assertEqual(Note.objects.get(data__a__0=1).key, 3)
        self.assertEqual(Note.objects.get(data__a__1__b=None).key, 3)
        self.assertEqual(Note.objects.get(data__contains={"a": [1]}).key, 3)
        for key in ("²", "--5", "9" * 30, "$a", "a.b", "%s", "'", '"', "{"):
            self.assertFalse(Note.objects.filter(**{f"data__{key}": 1}).exists())

    def test_nested_functions_do_not_grow_without_end(self):
        text = F("title")
        for i in range(30):
            text = Replace(text, Value(str(i)), Value(""))
        self.assertEqual(Book.objects.annotate(t=text).order_by("pk").first().t, "Book ")

    def test_text_in_an_insert_is_text(self):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_author (name) VALUES ('$x'), (UPPER('y'))")
        self.assertEqual(Author.objects.filter(name__in=["$x", "Y"]).count(), 2)

    def test_values_that_cannot_be_stored_are_data_errors(self):
        for name in ("\ud800",):
            with self.assertRaises(DataError), transaction.atomic():
                Author.objects.create(name=name)

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

    def test_a_statement_is_done_whole_or_not_at_all(self):
        author = Author.objects.create(name="a")
        for title in ("one", "two", "three"):
            Book.objects.create(title=title, author=author)
        with self.assertRaises(IntegrityError):
            Book.objects.filter(author=author).update(code="same")
        with self.assertRaises(IntegrityError):
            Book.objects.bulk_create([Book(title=t, author=author) for t in ("four", "one")])
        self.assertEqual(Book.objects.filter(code=None).count(), 3)

    @unittest.skipIf(connection.features.is_embedded, "writers take turns")
    def test_a_lost_race_is_told(self):
        mine, theirs = (Author.objects.create(name=name) for name in "ab")
        other = connection.copy()
        with self.assertRaises(TransactionManagementError), transaction.atomic():
            Author.objects.filter(pk=mine.pk).update(name="mine")
            with other.cursor() as cursor:
                cursor.execute("UPDATE shop_author SET name = 'theirs' WHERE id = %s", [theirs.pk])
            with contextlib.suppress(OperationalError), transaction.atomic():
                Author.objects.filter(pk=theirs.pk).update(name="mine too")
            Author.objects.create(name="after")
        other.close()
        names = set(Author.objects.values_list("name", flat=True))
        self.assertEqual(names, {"a", "theirs"})

    @unittest.skipUnless(connection.features.can_rollback_ddl, "a server's schema is not undone")
    def test_an_index_is_added_to_a_table_with_rows(self):
        Author.objects.create(name="a")
        field = models.CharField(max_length=50, db_index=True)
        field.set_attributes_from_name("name")
        with connection.schema_editor() as editor:
            editor.alter_field(Author, Author._meta.get_field("name"), field, strict=True)
        with connection.schema_editor() as editor:
            editor.alter_field(Author, field, Author._meta.get_field("name"), strict=True)

    def test_on_commit_and_rollback(self):
        done = []
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            transaction.on_commit(lambda: done.append(1))
            Author.objects.create(name="undone")
            raise ZeroDivisionError
        self.assertEqual((done, Author.objects.count()), ([], 0))


class TransactionTests(TestCase):  # each test is within a transaction
    def test_keys_are_counted_anew_after_some_were_taken(self):
        Author.objects.bulk_create([Author(name="a"), Author(pk=5000, name="b")])
        with connection.cursor() as cursor:
            for sql in connection.ops.sequence_reset_sql(no_style(), [Author]):
                cursor.execute(sql)
        self.assertGreater(Author.objects.create(name="c").pk, 5000)

    def test_a_subquery_that_counts_no_rows(self):
        for name in ("few", "none"):
            Author.objects.create(name=name)
        Book.objects.create(title="T", author=Author.objects.get(name="few"))
        books = Book.objects.filter(author=OuterRef("pk"), pages=None)
        count = Func(books.values("pk"), function="COUNT",
                     template="(SELECT COUNT(*) FROM %(expressions)s AS counted)",
                     output_field=IntegerField())  # fmt: skip
        found = Author.objects.annotate(many=count).order_by("name")
        self.assertEqual(list(found.values_list("name", "many")), [("few", 1), ("none", 0)])

    def test_closing_old_connections_does_not_end_a_test(self):
        Author.objects.create(name="kept")
        close_old_connections()
        connection.close()
        self.assertEqual(Author.objects.get().name, "kept")


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
