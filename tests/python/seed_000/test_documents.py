# SPDX-License-Identifier: Apache-2.0
"""Seed 000: quick start, document models, fields."""

import datetime
import decimal
import io
from typing import Any

import pytest

from mongodb import CASCADE, Document, get_db
from mongodb.errors import NotUniqueError, ValidationError
from mongodb.fields import ReferenceField, StringField


def test_3_define_a_document_4_use_the_document(connected: str, seed: Any) -> None:
    names = seed.run("3. Define a Document")
    names = seed.run("4. Use the Document")
    assert names["john"].email == "john@example.com"
    assert names["john"].created_at <= datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert [user.age for user in names["adults"]] == [30]
    assert len(names["users"]) == 1
    assert set(get_db().users.index_information()) == {"_id_", "email_1"}
    with pytest.raises(ValidationError) as caught:
        names["User"](name="x", email="y", age=151).save()
    assert set(caught.value.errors) == {"email", "age"}


def test_basic_document_definition(connected: str, seed: Any) -> None:
    seed.run("3. Define a Document")
    names = seed.run("Basic Document Definition")
    user = names["User"](name="A", email="a@example.com").save()
    post = names["BlogPost"](title="One", author=user).save()
    first_update = post.updated_at
    names["BlogPost"](title="Two", created_at=datetime.datetime(2001, 1, 1)).save()
    assert [p.title for p in names["BlogPost"].objects] == ["One", "Two"]
    keys = {tuple(i["key"].items()) for i in get_db().blog_posts.list_indexes()}
    assert keys == {
        (("_id", 1),),
        (("title", 1),),
        (("author", 1),),
        (("created_at", -1),),
        (("author", 1), ("created_at", -1)),
    }
    found = names["BlogPost"].objects.get(title="One")
    assert found.author == user and found.published is False
    found.published = True
    found.save()
    assert found.updated_at >= first_update and found.created_at == post.created_at


def test_meta_options(connected: str, seed: Any) -> None:
    import mongodb

    mongodb.connect(f"second_{mongodb.get_db().name}", alias="secondary", host=connected)
    code = seed.blocks["Meta Options"][0].replace("# fields...", "field1 = field2 = StringField()")
    code = code.replace(
        "field1 = field2 = StringField()",
        "field1 = StringField(); field2 = StringField(); "
        "created_at = DateTimeField(auto_now_add=True)",
    )
    seed.blocks["Meta Options"][0] = code
    cls = seed.run("Meta Options")["MyDocument"]
    cls(field1="a").save()
    database = mongodb.get_db("secondary")
    assert database.list_collection_names() == ["custom_collection_name"]
    options = database.custom_collection_name.options()
    assert options["capped"] and options["max"] == 1000 and options["size"] >= 5000000
    assert database.custom_collection_name.find_one()["_cls"] == "MyDocument"
    database.client.drop_database(database.name)


def test_document_inheritance(connected: str, seed: Any) -> None:
    names = seed.run("Document Inheritance")
    names["User"](name="A", email="a@example.com").save()
    names["Product"](name="P", price=decimal.Decimal("9.99")).save()
    assert sorted(get_db().list_collection_names()) == ["product", "user"]
    user = names["User"].objects.get()
    assert user.created_at is not None and user.updated_at is not None
    assert names["Product"].objects.get().price == decimal.Decimal("9.99")
    with pytest.raises(ValidationError):
        names["Product"](name="P", price=-1).save()
    with pytest.raises(Exception, match="abstract"):
        names["BaseDocument"]().save()  # one can be made, but has no collection


def test_string_fields(connected: str, seed: Any) -> None:
    cls = seed.run("String Fields")["MyDocument"]
    good: dict[str, Any] = {"name": "n", "status": "active", "code": "ABC123",
                            "email": "a@b.co", "website": "https://example.com/x?y=1"}  # fmt: skip
    saved = cls(**good).save()
    assert cls.objects.get(id=saved.id).to_dict() == {"id": saved.id, **good}
    for bad in ({"status": "gone"}, {"code": "abc"}, {"email": "a@b"}, {"website": "example"},
                {"name": "x" * 101}, {"name": None}, {"name": 5}):  # fmt: skip
        with pytest.raises(ValidationError) as caught:
            cls(**{**good, **bad}).save()
        assert list(caught.value.to_dict()) == list(bad)


def test_numeric_fields(connected: str, seed: Any) -> None:
    cls = seed.run("Numeric Fields")["Product"]
    product = cls(quantity=3, rating=4.5, price="19.99", views=2**40).save()
    found = cls.objects.get()
    assert (found.quantity, found.rating, found.views) == (3, 4.5, 2**40)
    assert found.price == decimal.Decimal("19.99") and product.price == found.price
    assert cls().views == 0
    raw = get_db().product.find_one()
    assert str(raw["price"]) == "19.99" and type(raw["price"]).__name__ == "Decimal128"
    for bad in ({"quantity": 1001}, {"rating": 5.1}, {"price": -1}, {"price": "123456789.5"},
                {"price": "1.999"}, {"quantity": "many"}):  # fmt: skip
        with pytest.raises(ValidationError):
            cls(**bad).save()


def test_date_and_time_fields(connected: str, seed: Any) -> None:
    cls = seed.run("Date and Time Fields")["Event"]
    event = cls(event_date=datetime.date(2024, 5, 31)).save()
    found = cls.objects.get()
    assert (
        found.event_date == datetime.date(2024, 5, 31) and type(found.event_date) is datetime.date
    )
    assert abs((found.scheduled_at - event.scheduled_at).total_seconds()) < 0.001
    assert found.created_at == event.created_at
    assert cls.objects.filter(event_date=datetime.date(2024, 5, 31)).count() == 1
    assert cls.objects.filter(event_date__lt=datetime.date(2024, 5, 31)).count() == 0


def test_boolean_and_binary_fields(connected: str, seed: Any) -> None:
    cls = seed.run("Boolean and Binary Fields")["User"]
    cls(avatar=b"\0\xff").save()
    found = cls.objects.get()
    assert (found.is_active, found.is_verified, found.avatar) == (True, False, b"\0\xff")


def test_complex_fields(connected: str, seed: Any) -> None:
    seed.run("3. Define a Document")
    names = seed.names
    exec(
        "class Category(Document):\n    name = StringField()\n"
        "class AuthorInfo(EmbeddedDocument):\n    bio = StringField()\n",
        names,
    )
    cls = seed.run("Complex Fields")["BlogPost"]
    user = names["User"](name="A", email="a@example.com").save()
    tools = names["Category"](name="tools").save()
    post = cls(title="t", tags=["a"], categories=[tools], metadata={"k": {"d": [1, 2]}})
    post.author_info = names["AuthorInfo"](bio="b")
    post.author = user
    post.related_object = tools
    post.save()
    found = cls.objects.get()
    assert found.related_object == tools and found.related_object.name == "tools"
    assert found.settings == {"public": True} and found.metadata == {"k": {"d": [1, 2]}}
    assert found.categories[0].name == "tools" and found.author_info.bio == "b"
    with pytest.raises(ValidationError) as caught:
        cls(title="t", tags=["x" * 51]).save()
    assert "tags" in caught.value.errors and 0 in caught.value.to_dict()["tags"]
    user.delete()
    assert cls.objects.count() == 0


def test_embedded_documents(connected: str, seed: Any) -> None:
    names = seed.run("Embedded Documents")
    Address, User = names["Address"], names["User"]
    home = Address(street="1 Main St", city="Oslo", country="NO")
    user = User(name="A", email="a@example.com", address=home, addresses=[home]).save()
    found = User.objects.get(address__city="Oslo")
    assert found.address == home and found.addresses == [home]
    found.address.city = "Bergen"
    found.addresses[0].postal_code = "5003"
    assert found._delta() == ({"address.city": "Bergen", "addresses.0.postal_code": "5003"}, {})
    found.save()
    assert User.objects.get(addresses__postal_code="5003").address.city == "Bergen"
    with pytest.raises(ValidationError) as caught:
        User(name="A", email="a@example.com", address=Address(street="x")).save()
    assert set(caught.value.to_dict()["address"]) == {"city", "country"}
    assert user == found


def test_file_fields(connected: str, seed: Any) -> None:
    cls = seed.run("File Fields")["Document"]
    png = io.BytesIO()
    pytest.importorskip("PIL.Image").new("RGB", (300, 200)).save(png, "PNG")
    png.seek(0)
    document = cls(title="t")
    document.attachment.put(b"content")
    document.thumbnail.put(png)
    document.save()
    found = cls.objects.get()
    assert found.attachment.read() == b"content"
    assert (found.thumbnail.size, found.thumbnail.format) == ((100, 100), "PNG")


def test_field_options(connected: str, seed: Any) -> None:
    def my_validator(value: str) -> None:
        if value == "b":
            raise ValidationError("b is taken")

    seed.names.clear()
    seed.run("Field Options", my_validator=my_validator) if seed.names else None
    from mongodb.fields import StringField as field_class

    names = {"field": None, "StringField": field_class, "my_validator": my_validator}
    exec(seed.blocks["Field Options"][0], names)
    field: Any = names["field"]
    assert (field.help_text, field.verbose_name) == ("Help text", "Display Name")
    field.default = "a"

    class Holder(Document):
        name = field

    Holder().save()
    with pytest.raises(NotUniqueError) as taken:
        Holder().save()
    assert taken.value.code == 11000 and taken.value.details["keyValue"] == {"name": "a"}
    with pytest.raises(ValidationError, match="b is taken"):
        Holder(name="b").save()
    with pytest.raises(ValidationError, match="must be one of"):
        Holder(name="d").save()


def test_document_methods_of_the_reference(connected: str, seed: Any) -> None:
    names = seed.run("3. Define a Document")
    document = names["User"](name="A", email="a@example.com")
    document.save(force_insert=False, validate=True)
    names["User"].objects(id=document.id).update(name="B")
    document.reload()
    document.clean()
    assert document.to_dict()["name"] == "B"
    assert names["User"].from_json(document.to_json()) == document
    document.delete()
    with pytest.raises(names["User"].DoesNotExist):
        document.reload()
    assert names["User"].create_index([("name", 1), ("age", -1)]) == "name_1_age_-1"
    names["User"].drop_collection()
    assert get_db().list_collection_names() == []


def test_reference_field_takes_a_rule() -> None:
    field = ReferenceField("User", reverse_delete_rule=CASCADE)
    assert field.reverse_delete_rule == CASCADE and StringField(max_length=5).max_length == 5
