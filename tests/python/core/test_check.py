# SPDX-License-Identifier: Apache-2.0
"""What C lets pass without asking a field, the field would let pass too."""

import os
import random
import re
from typing import Any

import bson
import pytest
from bson import ObjectId

from mongodb import Document, MongoError, ValidationError, _core
from mongodb.fields import EmailField


class Contact(Document):
    email = EmailField()


class ShortRule(EmailField):
    USER_REGEX = re.compile(r"[a-z]\Z")


class Strict(Document):
    email = ShortRule()


@pytest.mark.parametrize("address", ["a@b.de", "first.last+tag@mail.example.com", "A_9-x@a-b.Org"])
def test_plain_addresses_are_passed_in_c(address: str) -> None:
    assert Contact(email=address)._suspects(True) == []


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.de", "a@", "a@b", "a@b.c", "a..b@c.de", ".a@b.de", "a.@b.de", "a@-b.de",
     "a@b-.de", "a@.de", "a@b..de", "a@b.de.", "a b@c.de", "a@b@c.de", "a@b.de\n", "a\0@b.de"],
)  # fmt: skip
def test_addresses_that_are_none_are_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        Contact(email=address).validate()


def test_whatever_c_passes_the_field_passes() -> None:
    rng = random.Random(1)
    field: Any = Contact._fields["email"]
    passed = 0
    for _ in range(20_000):
        user = "".join(rng.choice("aaaaZ9.-_+ é'!") for _ in range(rng.randint(0, 5)))
        domain = "".join(rng.choice("bbbb9.-Z_") for _ in range(rng.randint(0, 7)))
        address = user + rng.choice(["@", "@@", ""]) + domain + rng.choice(["", ".com", ".c0"])
        if not Contact(email=address)._suspects(True):
            passed += 1
            field.validate(address)
    assert passed > 100


def test_field_with_rules_of_its_own_is_asked() -> None:
    with pytest.raises(ValidationError):
        Strict(email="long@example.com").validate()
    Strict(email="a@example.com").validate()


def test_object_ids_are_new_in_a_child_process() -> None:
    first = _core.object_id()
    assert type(first) is ObjectId
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, _core.object_id().binary)
        os._exit(0)
    os.waitpid(child, 0)
    theirs, mine = os.read(read, 12), _core.object_id().binary
    os.close(read)
    os.close(write)
    assert theirs[4:9] != mine[4:9] and mine[4:9] == first.binary[4:9]


def test_bytes_as_a_command_are_checked() -> None:
    with _core.Client("docstore://:memory:") as client:
        good = bson.encode({"ping": 1, "comment": "abc"})
        assert client.run("db", good)["ok"] == 1
        for bad in (b"", good[:-1], good + b"\0", good.replace(b"\x02comment", b"\x7ecomment")):
            with pytest.raises((MongoError, ValueError)):
                client.run("db", bad)
