# SPDX-License-Identifier: Apache-2.0
"""Files in GridFS: what documents, PyMongo and broken commands make of them."""

import copy
import io
import pathlib
import pickle
import sys
import tracemalloc
import warnings
from typing import Any

import gridfs
import pytest

import mongodb
from mongodb import Document, EmbeddedDocument, get_db
from mongodb.errors import MongoError, OperationError, ValidationError
from mongodb.fields import (
    EmbeddedDocumentField,
    FileField,
    GridFSProxy,
    ImageField,
    ImproperlyConfigured,
    ListField,
    MapField,
    StringField,
)
from mongodb.gridfs import CorruptGridFile, Files, GridFSError, NoFile

BIG = bytes(range(256)) * 2500  # 640,000 bytes: three chunks


class Kept(Document):
    title = StringField()
    file = FileField()


def left(collection: str = "fs") -> tuple[int, int]:
    """How many files and chunks there are."""
    db = get_db()
    return db[f"{collection}.files"].count_documents({}), db[
        f"{collection}.chunks"
    ].count_documents({})


def test_a_file_is_stored_and_read(connected: str) -> None:
    kept = Kept(title="x")
    assert not kept.file and kept.file.read() is None and kept.file.get() is None
    kept.save()
    assert "file" not in get_db().kept.find_one()
    kept.file.put(io.BytesIO(BIG), content_type="text/plain", filename="a.txt", owner="ada")
    kept.save()
    found = Kept.objects.get()
    assert found.file and found.file == kept.file and found.file.grid_id == kept.file.grid_id
    assert (found.file.filename, found.file.content_type, found.file.length, found.file.owner) == (
        "a.txt", "text/plain", len(BIG), "ada",
    )  # fmt: skip
    assert found.file.read() == BIG and found.file.read() == b""
    found.file.seek(261118)
    assert found.file.read(4) == BIG[261118:261122] and found.file.tell() == 261122
    found.file.seek(-2, io.SEEK_END)
    assert found.file.read(10) == BIG[-2:]
    with found.file as f:
        assert f.read(3) == BIG[:3] and f.readline() == BIG[3:11] and f.chunk_size == 261120
    with found.file as f:
        assert b"".join(f) == BIG
    assert found._get_changed_fields() == [] and found.to_dict()["file"] == found.file.grid_id
    assert Kept.objects(file=found.file).count() == Kept.objects(file=found.file.grid_id).count()
    with pytest.raises(AttributeError, match="nothing"):
        found.file.nothing  # noqa: B018


def test_pymongo_reads_what_is_written_and_the_reverse(connected: str) -> None:
    kept = Kept()
    kept.file.put(BIG, filename="ours", content_type="a/b", metadata={"n": 1})
    kept.save()
    theirs = gridfs.GridFS(get_db())
    out = theirs.get(kept.file.grid_id)
    assert out.read() == BIG and (out.filename, out._file["contentType"]) == ("ours", "a/b")
    assert (out.length, out.chunk_size, out.metadata) == (len(BIG), 261120, {"n": 1})
    written = theirs.put(BIG + b"!", filename="theirs", chunk_size=1000)
    for name in ("files", "chunks"):
        ours = get_db()[f"fs.{name}"].find_one({"filename": "ours"} if name == "files" else {})
        other = get_db()[f"fs.{name}"].find_one({"filename": "theirs"} if name == "files" else {})
        assert {type(ours[key]) for key in ours.keys() & other.keys()} == {
            type(other[key]) for key in ours.keys() & other.keys()
        }
    kept.file = written
    kept.save()
    found = Kept.objects.get().file
    assert found.read() == BIG + b"!" and found.chunk_size == 1000
    found.seek(1500)
    assert found.read(1000) == BIG[1500:2500]
    found.delete()
    assert not theirs.exists(written) and left() == (1, 3)
    assert Kept.objects.get().file.read() is None
    names = set(get_db()["fs.chunks"].index_information())
    assert names == {"_id_", "files_id_1_n_1"}


def test_files_go_with_their_document(connected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(file=b"a")
    kept.save()
    with monkeypatch.context() as patch:
        fail(patch, "delete", 2)
        with pytest.raises(OperationError, match="plug"):
            kept.delete()
    kept.delete()
    assert left() == (0, 0) and Kept.objects.count() == 0
    Kept().save().delete()


def test_a_file_is_written_in_parts(connected: str) -> None:
    kept = Kept()
    kept.file.new_file(filename="p", encoding="utf-8")
    kept.file.write(b"ab")
    kept.file.writelines(["é", io.BytesIO(b"d")])
    assert left() == (0, 0)
    kept.file.close()
    kept.save()
    assert Kept.objects.get().file.read() == "abéd".encode()
    with pytest.raises(GridFSError, match="has a file already"):
        kept.file.put(b"x")
    with pytest.raises(TypeError, match="encoding"):
        Kept().file.put("text")
    with pytest.raises(TypeError, match="not int"):
        Kept().file.put(5)
    assert left() == (1, 1)


def test_two_looks_at_an_empty_file_are_one_file(connected: str) -> None:
    kept = Kept()
    first, second = kept.file, kept.file
    first.put(b"a")
    with pytest.raises(GridFSError, match="has a file already"):
        second.put(b"b")
    assert kept.file is first


def test_an_empty_file_is_no_file_without_an_id(connected: str) -> None:
    Files().put(b"x", _id=None)
    kept = Kept()
    assert kept.file.read() is None and not kept.file and list(kept.file) == []
    with pytest.raises(AttributeError, match="no file to have 'filename'"):
        kept.file.filename  # noqa: B018
    assert isinstance(Kept.file, FileField)
    kept.file.close()
    kept.file.new_file()
    kept.file.close()
    kept.file.close()
    assert kept.file.read() == b""


def test_a_file_under_a_key_of_ones_own_is_read(connected: str) -> None:
    Files().put(b"x", _id="mine")
    get_db().kept.insert_one({"file": "mine"})
    assert Kept.objects.get().file.read() == b"x"


def test_a_shared_file_stays_that_of_its_first_document(connected: str) -> None:
    first, second = Kept(file=b"a").save(), Kept()
    second.file = shared = first.file
    assert second.file is shared
    shared.delete()
    assert first.file.grid_id is None and first._get_changed_fields() == ["file"]


def test_assigned_content_is_stored(connected: str) -> None:
    kept = Kept(file=b"one")
    kept.save()
    kept.file = io.BytesIO(b"two")
    kept.save()
    assert Kept.objects.get().file.read() == b"two" and left() == (1, 1)
    upload = io.BytesIO(b"three")
    upload.name, upload.content_type = "3.txt", "text/plain"  # type: ignore[misc, attr-defined]
    kept.file = upload
    assert (kept.file.filename, kept.file.content_type) == ("3.txt", "text/plain")
    assert kept.file.read() == b"three" and left() == (1, 1)
    kept.file = None
    kept.save()
    assert "file" not in get_db().kept.find_one()
    with pytest.raises(ValidationError, match="only accepts GridFSProxy"):
        Kept(file=5).save()


def test_replace_and_delete_leave_nothing(connected: str) -> None:
    kept = Kept()
    kept.file.put(BIG)
    kept.save()
    kept.file.replace(b"small", filename="s")
    kept.save()
    assert left() == (1, 1) and Kept.objects.get().file.read() == b"small"
    kept.file.delete()
    kept.save()
    assert left() == (0, 0) and "file" not in get_db().kept.find_one()
    kept.file.put(b"again")
    assert kept.file.read() == b"again"


def fail(monkeypatch: pytest.MonkeyPatch, method: str, at: int) -> None:
    """Make the connection refuse the call number `at` of a method."""
    from mongodb._connection import Connection

    calls = []
    plain = getattr(Connection, method)

    def refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(args[0])
        if len(calls) == at:
            raise OperationError("the plug was pulled")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Connection, method, refuse)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_failed_put_leaves_no_chunks(
    connected: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    kept = Kept()
    kept.file.put(b"x", filename="makes the collections")
    kept.file.delete()
    with monkeypatch.context() as patch:
        fail(patch, "insert", at)
        with pytest.raises(OperationError, match="plug"):
            kept.file.put(BIG * 3)
    assert left() == (0, 0) and not kept.file
    with monkeypatch.context() as patch:
        fail(patch, "insert", at)
        with pytest.raises(OperationError, match="plug"):
            kept.file.write(BIG * 3)
            kept.file.close()
    assert left() == (0, 0) and not kept.file
    kept.file.put(BIG)
    assert kept.file.read() == BIG


@pytest.mark.parametrize("at", [1, 2])
def test_a_failed_delete_can_be_repeated(
    connected: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    kept = Kept()
    kept.file.put(BIG)
    kept.save()
    with monkeypatch.context() as patch:
        fail(patch, "delete", at)
        with pytest.raises(OperationError, match="plug"):
            kept.file.delete()
    assert left()[0] == 1  # the file is still known: nothing is an orphan
    kept.file.delete()
    assert left() == (0, 0)


@pytest.mark.parametrize("at", [1, 2])
def test_a_failed_replace_keeps_the_old_file(
    connected: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    kept = Kept()
    kept.file.put(b"old")
    kept.save()
    with monkeypatch.context() as patch:
        fail(patch, "insert", at)
        with pytest.raises(OperationError, match="plug"):
            kept.file.replace(b"new")
    assert kept.file.read() == b"old" and left() == (1, 1)


def test_missing_pieces_are_told(connected: str) -> None:
    kept = Kept()
    kept.file.put(BIG)
    kept.save()
    chunks = get_db()["fs.chunks"]
    chunks.update_one({"n": 2}, {"$set": {"data": b"x"}})
    with pytest.raises(CorruptGridFile, match="chunk 2 of 3 has 1 bytes, not 117760"):
        Kept.objects.get().file.read()
    chunks.delete_one({"n": 2})
    with pytest.raises(CorruptGridFile, match="chunk 2 of 3 is missing"):
        Kept.objects.get().file.read()
    chunks.delete_one({"n": 1})
    found = Kept.objects.get()
    assert found.file.read(10) == BIG[:10]
    with pytest.raises(CorruptGridFile, match="chunk 1 of 3 is missing"):
        found.file.read()
    get_db()["fs.files"].delete_many({})
    with pytest.raises(NoFile, match="fs.files"), Kept.objects.get().file:
        pass
    assert Kept.objects.get().file.get() is None


@pytest.mark.parametrize("size", [5, 2**20])  # sent by close(), by write()
def test_a_file_that_lost_a_piece_is_never_closed(
    connected: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file = Files().new_file(chunk_size=2**20)
    with monkeypatch.context() as patch:
        fail(patch, "insert", 1)
        with pytest.raises(OperationError, match="plug"):
            file.write(b"x" * size)
            file.close()
    for go_on in (file.close, lambda: file.write(b"y" * 2**20)):
        with pytest.raises(GridFSError, match="could not be written"):
            go_on()
    file.abort()
    assert left() == (0, 0)


@pytest.mark.parametrize("how", ["abort", "close"])
def test_who_gives_up_takes_no_other_ones_pieces(connected: str, how: str) -> None:
    first, second = (Files().new_file(_id="same", chunk_size=10) for _ in range(2))
    second.write(b"never sent")
    first.write(b"0123456789x")
    first.close()
    if how == "close":
        with pytest.raises(OperationError), second:
            pass
    second.abort()
    assert Files().get("same").read() == b"0123456789x" and left() == (1, 2)


def test_ids_of_files_are_no_operators(connected: str) -> None:
    kept = Files().put(b"kept")
    everything = {"$ne": None}
    try:
        assert not Files().exists(everything)
        Files().delete(everything)
    except OperationError:
        pass
    assert Files().get(kept).read() == b"kept"


@pytest.mark.parametrize(
    "change",
    [{"length": value} for value in (None, -1, float("nan"), float("inf"), "1")]
    + [{"chunkSize": value} for value in (-5, float("nan"), "text", [])],
)
def test_nonsense_stored_in_a_file_is_told(connected: str, change: dict[str, Any]) -> None:
    key = Files().put(b"kept")
    get_db()["fs.files"].update_one({"_id": key}, {"$set": change})
    with pytest.raises(CorruptGridFile, match="not a number of bytes"):
        Files().get(key)


@pytest.mark.parametrize("data", ["text", 4, None, [1, 2, 3, 4]])
def test_pieces_that_are_no_bytes_are_told(connected: str, data: Any) -> None:
    key = Files().put(b"kept")
    get_db()["fs.chunks"].update_one({"files_id": key}, {"$set": {"data": data}})
    with pytest.raises(CorruptGridFile, match="chunk 0 of 1 has .*, not 4"):
        Files().get(key).read()


def test_a_file_is_read_from_anywhere_in_any_order_of_its_pieces(connected: str) -> None:
    key = Files().put(BIG)
    out = Files().get(key)
    out.seek(261125)
    assert out.read(3) == BIG[261125:261128]
    out = Files().get(key)
    assert out.seek(300_000, io.SEEK_CUR) == 300_000 and out.read(3) == BIG[300_000:300_003]
    chunks = get_db()["fs.chunks"]
    pieces = list(chunks.find())
    chunks.drop()
    chunks.insert_many(pieces[::-1])
    assert Files().get(key).read() == BIG


def test_a_file_that_is_closed_takes_no_more(connected: str) -> None:
    file = Files().new_file(filename="f")
    assert file.write(b"ab") == 2 and file.write(io.BytesIO(b"cde")) == 3
    assert file.filename == "f"
    with pytest.raises(AttributeError, match="nothing"):
        file.nothing  # noqa: B018
    file.close()
    file.close()
    with pytest.raises(GridFSError, match="closed"):
        file.write(b"f")
    assert Files().get(file._id).read() == b"abcde" and left() == (1, 1)


def test_memory_does_not_grow_with_the_file(connected: str) -> None:
    class Endless(io.RawIOBase):
        left = 24 * 2**20

        def read(self, size: int = -1) -> bytes:
            part = min(size, self.left)
            self.left -= part
            return b"x" * part

    kept = Kept()
    kept.file.put(b"")
    tracemalloc.start()
    try:
        kept.file.replace(Endless())
        count = 0
        with kept.file as f:
            while part := f.read(100_000):
                count += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 24 * 2**20 and peak < 8 * 2**20


def test_files_inside_lists_maps_and_embedded_documents(connected: str) -> None:
    class FileBox(EmbeddedDocument):
        file = FileField(collection_name="inner")

    class Folder(Document):
        inner = EmbeddedDocumentField(FileBox)
        many = ListField(FileField())
        named = MapField(FileField())

    holder = Folder(inner=FileBox())
    holder.inner.file.put(b"in")
    one = Folder.many.field.get_proxy_obj("many", holder)
    one.put(b"list")
    holder.many.append(one)
    second = Folder.many.field.get_proxy_obj("many", holder)
    second.put(b"second")
    alone = GridFSProxy()
    alone.put(b"alone")
    holder.many += [second, alone]
    other = Folder.named.field.get_proxy_obj("named", holder)
    other.put(b"map")
    holder.named["k"] = other
    holder.save()
    found = Folder.objects.get()
    assert (found.inner.file.read(), found.many[0].read(), found.named["k"].read()) == (
        b"in", b"list", b"map",
    )  # fmt: skip
    assert [one.read() for one in found.many[1:]] == [b"second", b"alone"]
    assert left("inner") == (1, 1) and left() == (4, 4)
    found.inner.file.delete()
    found.save()
    assert get_db().folder.find_one()["inner"] == {} and left("inner") == (0, 0)


def test_files_of_another_database(connected: str) -> None:
    name = f"{get_db().name}_files"
    mongodb.connect(name, alias="files", host=connected)

    class Far(Document):
        file = FileField(db_alias="files", collection_name="docs")

    far = Far()
    far.file.put(b"far")
    far.save()
    assert Far.objects.get().file.read() == b"far"
    if not connected.endswith(":memory:"):
        assert get_db("files")["docs.files"].count_documents({}) == 1 and left("docs") == (0, 0)
    get_db("files").client.drop_database(name)


def test_a_transaction_takes_files_with_it(connected: str) -> None:
    kept = Kept()
    with pytest.raises(ZeroDivisionError), mongodb.atomic():
        kept.file.put(BIG)
        kept.save()
        assert kept.file.read() == BIG
        raise ZeroDivisionError
    assert left() == (0, 0) and Kept.objects.count() == 0
    with mongodb.atomic():
        again = Kept()
        again.file.put(BIG)
        again.save()
    assert Kept.objects.get().file.read() == BIG


def test_proxies_are_copied_and_pickled(connected: str) -> None:
    kept = Kept()
    kept.file.put(b"abc")
    kept.save()
    kept.file.read(1)
    for other in (copy.deepcopy(kept), pickle.loads(pickle.dumps(kept)), copy.copy(kept)):
        assert other.file == kept.file and other.file.read() == b"abc"
    assert str(kept.file).startswith("<GridFSProxy: None (")


def test_what_a_file_cannot_be_given(connected: str) -> None:
    files = Files()
    with pytest.raises(TypeError, match="length"):
        files.put(b"x", length=5)
    with pytest.raises(ValueError, match="chunk_size"):
        files.put(b"x", chunk_size=0)
    with pytest.raises(ValueError, match="chunk_size"):
        files.put(b"x", chunk_size=10.5)
    files.put(b"x", _id="mine")
    with pytest.raises(GridFSError, match="'mine' is in fs.files already"):
        files.put(b"y", _id="mine")
    assert files.get("mine").read() == b"x"
    with pytest.raises(NoFile):
        files.get("other")
    with pytest.raises(MongoError), files.new_file() as file:
        file.write(BIG * 2)
        raise MongoError("no")
    assert left() == (1, 1)


def picture(width: int, height: int, kind: str = "PNG") -> io.BytesIO:
    image = pytest.importorskip("PIL.Image").new("RGB", (width, height), "red")
    out = io.BytesIO()
    image.save(out, kind)
    out.seek(0)
    return out


def test_images(connected: str) -> None:
    class Photo(Document):
        image = ImageField(size=(80, 60, True), thumbnail_size=(20, 20))
        small = ImageField(size=(50, 50), collection_name="small")
        many = ListField(ImageField(size=(10, 10, True)))

    photo = Photo()
    assert photo.image.size is None and photo.image.thumbnail is None
    photo.image.put(picture(200, 200, "JPEG"), filename="red", progressive=True)
    photo.small.put(picture(100, 50))
    one = Photo.many.field.get_proxy_obj("many", photo)
    one.put(picture(30, 30).read())
    photo.many.append(one)
    photo.save()
    found = Photo.objects.get()
    assert (found.image.size, found.image.format) == ((80, 60), "JPEG")
    assert found.image.filename == "red" and found.image.thumbnail.width == 20
    assert found.image.thumbnail.height == 15
    assert found.small.size == (50, 25) and found.small.thumbnail is None
    assert found.many[0].size == (10, 10)
    shown = pytest.importorskip("PIL.Image").open(found.image)
    assert shown.size == (80, 60) and shown.info.get("progressive")
    with pytest.raises(ValidationError, match="Invalid image"):
        Photo().image.put(io.BytesIO(b"no image"))
    with pytest.raises(RuntimeError, match=r"put\(\)"):
        found.image.write(b"x")
    found.image.replace(picture(10, 10, "JPEG"))
    assert not pytest.importorskip("PIL.Image").open(found.image).info.get("progressive")
    assert found.image.size == (10, 10) and left("images") == (3, 3)
    found.image.delete()
    assert left("images") == (1, 1)
    with pytest.raises(TypeError, match="width, height, force"):
        ImageField(size=5)


def test_images_that_cannot_be_taken_are_refused(
    connected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    class RefusedImages(Document):
        image = ImageField(size=(8, 8), thumbnail_size=(5, 5))

    photo = RefusedImages()
    whole = picture(30, 20).getvalue()
    named = tmp_path / "here.png"
    named.write_bytes(whole)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    many: list[tuple[Any, str]] = [
        (whole[:60], "Invalid image"),
        (b"", "cannot identify"),
        (str(named), "not a name"),
        (eps, "would be run"),
        (5, "Invalid image"),
        (io.StringIO("x"), "Invalid image"),
    ]
    for content, said in many:
        with pytest.raises(ValidationError, match=said):
            photo.image.put(content)
    with pytest.raises(ValidationError, match="not a name"):
        photo.image = str(named)
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 599)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all that Pillow does about it
        with pytest.raises(ValidationError, match="30 x 20 pixels are more than 599"):
            photo.image.put(whole)
    monkeypatch.undo()

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ValueError("image has wrong mode")  # as some kinds do that are read, not written

    with monkeypatch.context() as patch:
        patch.setattr("PIL.Image.Image.save", fail)
        with pytest.raises(ValidationError, match="wrong mode"):
            photo.image.put(whole)
    assert left("images") == (0, 0) and not photo.image
    photo.image.put(whole)
    assert photo.image.size == (8, 5)


def test_images_without_pillow_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImproperlyConfigured, match="need Pillow"):
        ImageField()


def test_a_failed_image_takes_its_thumbnail_back(
    connected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Photo(Document):
        image = ImageField(thumbnail_size=(5, 5))

    photo = Photo()
    with monkeypatch.context() as patch:
        fail(patch, "insert", 3)
        with pytest.raises(OperationError, match="plug"):
            photo.image.put(picture(10, 10))
    assert left("images") == (0, 0) and not photo.image
