# SPDX-License-Identifier: Apache-2.0
import time
from decimal import Decimal

from django.core.management import call_command
from django.test import TestCase
from django.utils import timezone
from pages import AdminCase
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from with_history.models import Author, Book


class HistoryTest(TestCase):
    def setUp(self):
        self.book = Book.objects.create(title="One", price=Decimal("1.50"))

    def test_changes_are_kept_and_taken_back(self):
        self.book.title = "Two"
        self.book.save()
        kept = self.book.history.all()
        self.assertEqual([(k.history_type, k.title) for k in kept], [("~", "Two"), ("+", "One")])
        kept[1].instance.save()
        self.assertEqual(Book.objects.get().title, "One")
        self.assertEqual(self.book.history.count(), 3)

    def test_differences(self):
        ann = Author.objects.create(name="Ann")
        self.book.author, self.book.price = ann, Decimal("2.00")
        self.book.save()
        self.book.readers.add(ann)
        newest, middle, oldest = self.book.history.all()
        changes = middle.diff_against(oldest).changes
        prices = Decimal("1.50"), Decimal("2.00")
        self.assertEqual(
            [(c.field, c.old, c.new) for c in changes],
            [("author", None, ann.pk), ("price", *prices)],
        )
        self.assertEqual(newest.diff_against(middle).changed_fields, ["readers"])
        self.assertEqual(newest.prev_record, middle)
        self.assertEqual(middle.next_record, newest)

    def test_as_it_was(self):
        time.sleep(0.002)
        then = timezone.now()
        time.sleep(0.002)
        self.book.title = "Two"
        self.book.save()
        Book.objects.create(title="Later")
        self.assertEqual(self.book.history.as_of(then).title, "One")
        self.assertEqual([book.title for book in Book.history.as_of(then)], ["One"])
        self.book.delete()
        gone = Book.history.filter(history_type="-").latest()
        self.assertEqual(gone.title, "Two")
        self.assertEqual([book.title for book in Book.history.as_of(timezone.now())], ["Later"])
        self.assertEqual(Book.history.latest_of_each().count(), 2)

    def test_many_at_once(self):
        books = bulk_create_with_history([Book(title=title) for title in "ab"], Book)
        for book in books:
            book.title += "!"
        bulk_update_with_history(books, Book, ["title"])
        kept = Book.history.filter(id__in=[book.pk for book in books]).order_by("history_id")
        self.assertEqual([k.title for k in kept], ["a", "b", "a!", "b!"])

    def test_commands(self):
        self.book.save()
        call_command("clean_duplicate_history", "--auto", verbosity=0)
        self.assertEqual(self.book.history.count(), 1)
        Book.history.all().delete()
        call_command("populate_history", "--auto", verbosity=0)
        self.assertEqual(self.book.history.count(), 1)
        call_command("clean_old_history", "--auto", days=0, verbosity=0)


class HistoryAdminTest(AdminCase):
    def test_pages(self):
        self.send("/admin/with_history/book/add/", title="One")
        book = Book.objects.get()
        self.open(book)
        self.send(f"/admin/with_history/book/{book.pk}/change/", title="Two")
        newest, oldest = book.history.all()
        self.assertEqual(newest.history_user, self.root)
        url = f"/admin/with_history/book/{book.pk}/history/{oldest.pk}/"
        self.assertContains(self.client.get(url), "One")
        self.send(url, title="One")
        self.assertEqual(Book.objects.get().title, "One")
