# SPDX-License-Identifier: Apache-2.0
"""Files of models in GridFS; test_project.py runs these on each store."""

import datetime
import io
import os
from types import SimpleNamespace
from unittest import mock

from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.db.migrations.writer import MigrationWriter
from django.http import FileResponse
from django.test import TestCase, TransactionTestCase, override_settings
from django.utils import timezone
from PIL import Image

from media.models import Upload
from mongodb.storage import GridFSStorage

BIG = os.urandom(700_000)


def png(width=3, height=2):
    out = io.BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return SimpleUploadedFile("dot.png", out.getvalue(), "image/png")


class StorageTests(TestCase):
    def test_files_are_written_and_read(self):
        name = default_storage.save("a/big.bin", ContentFile(BIG))
        self.assertEqual((name, default_storage.size(name)), ("a/big.bin", len(BIG)))
        with default_storage.open(name) as file:
            self.assertEqual(file.read(), BIG)
            file.seek(500_000)
            self.assertEqual(file.read(10), BIG[500_000:500_010])
            self.assertEqual(file.size, len(BIG))
            self.assertEqual(b"".join(file.chunks()), BIG)
        stored = connection.documents({"find": "media.chunks", "filter": {"files_id": name}})
        self.assertEqual(len(stored), 3)

    def test_text(self):
        name = default_storage.save("t.txt", ContentFile("Grüße\nzwei"))
        with default_storage.open(name, "r") as file:
            self.assertEqual(file.read(), "Grüße\nzwei")
        with default_storage.open(name) as file:
            self.assertEqual([line.decode() for line in file], ["Grüße\n", "zwei"])

    def test_a_name_that_is_taken_becomes_another(self):
        names = [default_storage.save("x/a.txt", ContentFile(text)) for text in ("1", "2")]
        self.assertEqual(names[0], "x/a.txt")
        self.assertRegex(names[1], r"^x/a_\w{7}\.txt$")
        self.assertEqual([default_storage.open(name).read() for name in names], [b"1", b"2"])
        with self.assertRaisesMessage(Exception, "path traversal"):
            default_storage.save("../a.txt", ContentFile("x"))

    def test_files_are_deleted(self):
        name = default_storage.save("gone.txt", ContentFile("x"))
        default_storage.delete(name)
        default_storage.delete(name)
        self.assertFalse(default_storage.exists(name))
        self.assertEqual(connection.documents({"find": "media.chunks"}), [])
        with self.assertRaisesMessage(FileNotFoundError, "no file 'gone.txt' in media.files"):
            default_storage.open(name)
        with self.assertRaises(FileNotFoundError):
            default_storage.size(name)
        with self.assertRaises(ValueError):
            default_storage.delete("")

    def test_folders_are_listed(self):
        for name in ("a.txt", "b/c.txt", "b/d/e.txt", "b.c/f.txt"):
            default_storage.save(name, ContentFile("x"))
        self.assertEqual(default_storage.listdir(""), (["b", "b.c"], ["a.txt"]))
        self.assertEqual(default_storage.listdir("b"), (["d"], ["c.txt"]))
        self.assertEqual(default_storage.listdir("b/d/"), ([], ["e.txt"]))
        self.assertEqual(default_storage.listdir("none"), ([], []))

    def test_when(self):
        name = default_storage.save("t.txt", ContentFile("x"))
        age = timezone.now() - default_storage.get_created_time(name)
        self.assertLess(abs(age), datetime.timedelta(minutes=5))
        with override_settings(USE_TZ=False):
            self.assertIsNone(default_storage.get_modified_time(name).tzinfo)

    def test_opened_to_write(self):
        with default_storage.open("w.txt", "w") as file:
            file.write("first")
        with self.assertRaises(ZeroDivisionError), default_storage.open("w.txt", "wb") as file:
            file.write(b"never")
            raise ZeroDivisionError
        self.assertEqual(default_storage.open("w.txt").read(), b"first")
        with default_storage.open("w.txt", "wb") as file:
            file.write(b"second")
        self.assertEqual(default_storage.open("w.txt").read(), b"second")
        with self.assertRaisesMessage(ValueError, "not 'a'"):
            default_storage.open("w.txt", "a")

    def test_urls(self):
        self.assertEqual(default_storage.url("a b/ü.txt"), "/media/a%20b/%C3%BC.txt")
        self.assertEqual(GridFSStorage(base_url="/x").url("/a"), "/x/a")

    def test_other_settings(self):
        self.assertEqual(storages["scans"].collection, "scans")
        self.assertIn("GridFSStorage(collection='scans')",
                      MigrationWriter.serialize(storages["scans"])[0])  # fmt: skip
        others = {"lite": SimpleNamespace(vendor="sqlite", display_name="SQLite")}
        with mock.patch("mongodb.storage.connections", others):
            with self.assertRaisesMessage(ImproperlyConfigured, 'ENGINE is "mongodb.backend"'):
                GridFSStorage(using="lite").exists("x")

    def test_what_other_programs_put_is_read(self):
        GridFSStorage().files.put(b"old", filename="r.txt")
        self.assertEqual(default_storage.open("r.txt").read(), b"old")
        self.assertNotEqual(default_storage.save("r.txt", ContentFile("new")), "r.txt")
        default_storage.delete("r.txt")
        self.assertFalse(default_storage.exists("r.txt"))


class ServedTests(TestCase):
    def get(self, name, **headers):
        return self.client.get(default_storage.url(name), headers=headers)

    def test_a_view_shows_files(self):
        name = default_storage.save("p/big.png", ContentFile(BIG))
        got = self.get(name)
        self.assertEqual(got.getvalue(), BIG)
        self.assertEqual((got["Content-Type"], got["Content-Length"]), ("image/png", "700000"))
        self.assertNotIn("Content-Disposition", got)
        again = self.get(name, if_modified_since=got["Last-Modified"])
        self.assertEqual(again.status_code, 304)
        self.assertEqual(self.get("none").status_code, 404)

    def test_parts_of_files_are_given(self):
        name = default_storage.save("p/big.png", ContentFile(BIG))
        whole = self.get(name)
        self.assertEqual(whole["Accept-Ranges"], "bytes")
        for asked, start, end in [
            ("0-0", 0, 1), ("5-9", 5, 10), ("261000-524299", 261_000, 524_300),
            ("699999-", 699_999, 700_000), ("0-", 0, 700_000), ("-3", 699_997, 700_000),
            ("-900000", 0, 700_000), ("699990-900000", 699_990, 700_000),
            ("0-" + "9" * 30, 0, 700_000),
        ]:  # fmt: skip
            got = self.get(name, range=f"bytes={asked}", if_range=whole["Last-Modified"])
            self.assertEqual((got.status_code, got.getvalue()), (206, BIG[start:end]), asked)
            self.assertEqual(got["Content-Range"], f"bytes {start}-{end - 1}/700000")
            self.assertEqual(got["Content-Length"], str(end - start))
        for asked in ("700000-", "900000-900001", "-0"):
            got = self.get(name, range=f"bytes={asked}")
            self.assertEqual((got.status_code, got["Content-Range"]), (416, "bytes */700000"))
        for headers in ({"range": "bytes=5-3"}, {"range": "bytes=0-1,4-5"}, {"range": "bytes=-"},
                        {"range": "lines=1-2"}, {"range": "bytes=0-x"},
                        {"range": "bytes=0-1", "if_range": "Sat, 01 Jan 2000 00:00:00 GMT"},
                        {"range": "bytes=0-1", "if_range": '"a"'}):  # fmt: skip
            got = self.get(name, **headers)
            self.assertEqual((got.status_code, got["Content-Length"]), (200, "700000"), headers)
            self.assertNotIn("Content-Range", got)
        head = self.client.head(default_storage.url(name), headers={"range": "bytes=0-9"})
        self.assertEqual((head.status_code, head["Content-Length"]), (200, "700000"))
        empty = default_storage.save("p/empty.png", ContentFile(b""))
        self.assertEqual(self.get(empty, range="bytes=0-").status_code, 416)

    def test_djangos_response_gives_the_rest_of_a_file(self):
        name = default_storage.save("p/big.png", ContentFile(BIG))
        file = default_storage.open(name)
        file.seek(300_000)
        got = FileResponse(file)
        self.assertEqual(got["Content-Length"], "400000")
        self.assertEqual(b"".join(got.streaming_content), BIG[300_000:])

    def test_pages_are_downloaded(self):
        for name in ("x.html", "x.svg", "x"):
            got = self.get(default_storage.save(name, ContentFile("<script>")))
            self.assertIn("attachment", got["Content-Disposition"], name)
            self.assertEqual(got["X-Content-Type-Options"], "nosniff")


class FieldTests(TestCase):
    def test_fields_of_models(self):
        one = Upload.objects.create(paper=ContentFile(b"abc", "note.txt"), photo=png())
        one = Upload.objects.get(pk=one.pk)
        self.assertEqual((one.paper.name, one.paper.size), ("papers/note.txt", 3))
        self.assertEqual(one.paper.read(), b"abc")
        self.assertEqual((one.width, one.height, one.photo.width), (3, 2, 3))
        self.assertTrue(one.photo.url.startswith(f"/media/photos/{timezone.now().year}/"))
        one.paper.delete()
        self.assertFalse(default_storage.exists("papers/note.txt"))

    def test_the_admin_takes_uploads(self):
        self.client.force_login(User.objects.create_superuser("root", "r@example.com", "pw"))
        sent = {"paper": SimpleUploadedFile("a.txt", b"abc"), "photo": png(5, 4)}
        self.assertEqual(self.client.post("/admin/media/upload/add/", sent).status_code, 302)
        one = Upload.objects.get()
        page = self.client.get(f"/admin/media/upload/{one.pk}/change/")
        self.assertContains(page, f'href="{one.paper.url}"')
        self.assertEqual(self.client.get(one.paper.url).getvalue(), b"abc")
        sent = {"paper": SimpleUploadedFile("a.txt", b"new"), "photo-clear": "on"}
        self.client.post(f"/admin/media/upload/{one.pk}/change/", sent)
        one.refresh_from_db()
        self.assertEqual((one.paper.read(), bool(one.photo)), (b"new", False))
        wrong = {"paper": SimpleUploadedFile("a", b"x"), "photo": SimpleUploadedFile("b.png", b"x")}
        page = self.client.post("/admin/media/upload/add/", wrong)
        self.assertContains(page, "Upload a valid image")


class CommittedTests(TransactionTestCase):
    def test_who_writes_a_name_at_the_same_time_gets_another(self):
        class Slow(ContentFile):  # another one is quicker
            def seek(self, *where):
                if not default_storage.exists("race.txt"):
                    default_storage.save("race.txt", ContentFile("theirs"))
                return super().seek(*where)

        name = default_storage.save("race.txt", Slow("ours"))
        self.assertNotEqual(name, "race.txt")
        self.assertEqual(default_storage.open("race.txt").read(), b"theirs")
        self.assertEqual(default_storage.open(name).read(), b"ours")
        for one in ("race.txt", name):
            default_storage.delete(one)
        self.assertEqual(connection.documents({"find": "media.chunks"}), [])

    def test_a_file_goes_with_its_transaction(self):
        default_storage.save("kept.txt", ContentFile("x"))
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            Upload.objects.create(paper=ContentFile(b"abc", "undone.txt"))
            self.assertTrue(default_storage.exists("papers/undone.txt"))
            raise ZeroDivisionError
        self.assertFalse(default_storage.exists("papers/undone.txt"))
        self.assertEqual(len(connection.documents({"find": "media.chunks"})), 1)
        default_storage.delete("kept.txt")
        self.assertIsNot(type(default_storage), FileSystemStorage)
