# SPDX-License-Identifier: Apache-2.0
"""Files in serializers."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mongodb import Document, get_db
from mongodb.fields import FileField, ImageField, StringField
from mongodb.rest_framework.serializers import DocumentSerializer


class Paper(Document):
    title = StringField()
    file = FileField(required=True)
    image = ImageField(size=(10, 10))


class PaperSerializer(DocumentSerializer):
    class Meta:
        model = Paper
        fields = ["title", "file", "image"]


def test_an_upload_goes_in_and_its_id_out(connected: str) -> None:
    image = io.BytesIO()
    pytest.importorskip("PIL.Image").new("RGB", (40, 20)).save(image, "PNG")
    sent = {
        "title": "t",
        "file": SimpleUploadedFile("a.txt", b"text", "text/plain"),
        "image": SimpleUploadedFile("a.png", image.getvalue(), "image/png"),
    }
    serializer = PaperSerializer(data=sent)
    serializer.is_valid(raise_exception=True)
    serializer.save()
    found = Paper.objects.get()
    assert (found.file.read(), found.file.filename, found.file.content_type) == (
        b"text", "a.txt", "text/plain",
    )  # fmt: skip
    assert found.image.size == (10, 5)
    shown = {"title": "t", "file": str(found.file.grid_id), "image": str(found.image.grid_id)}
    assert PaperSerializer(found).data == shown == serializer.data
    get_db().paper.insert_one({"title": "none"})
    listed = PaperSerializer(Paper.objects.order_by("title"), many=True).data
    assert listed == [{"title": "none", "file": None, "image": None}, shown]
    assert listed == [PaperSerializer(one).data for one in Paper.objects.order_by("title")]


def test_what_is_no_file_is_refused(connected: str) -> None:
    serializer = PaperSerializer(data={"title": "t", "file": "x"})
    assert not serializer.is_valid() and "file" in serializer.errors
    serializer = PaperSerializer(data={"title": "t"})
    assert not serializer.is_valid() and "required" in str(serializer.errors["file"])
