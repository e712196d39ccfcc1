# SPDX-License-Identifier: Apache-2.0
"""Every block of seed_000.md runs to its end, letter by letter, once its surroundings are there.

What the blocks promise is checked in the tests named for their headings.
"""

import datetime
from typing import Any

import pytest

import mongodb

PEOPLE = """
class UserProfile(Document):
    user = ReferenceField('User')
    bio = StringField()

class User(Document):
    name = StringField()
    email = EmailField()
    age = IntField()
    is_active = BooleanField(default=True)
    is_premium = BooleanField(default=False)
    tags = ListField(StringField())
    phone = StringField()
    password = StringField()
    secret_key = StringField()
    age_group = StringField()
    department = StringField()
    created_at = DateTimeField(auto_now_add=True)
    meta = {'collection': 'users'}

class BlogPost(Document):
    title = StringField()
    author = ReferenceField(User)

john = User(name='John', email='john@example.com', age=25, tags=['python', 'web']).save()
BlogPost(title='One', author=john).save()
offset, page_size = 0, 10
"""
INNER = """
class AuthorInfo(EmbeddedDocument):
    bio = StringField()

class UserProfile(EmbeddedDocument):
    bio = StringField()

class Address(EmbeddedDocument):
    street = StringField()
    city = StringField()
"""
DRF = (
    PEOPLE
    + INNER
    + """
from rest_framework import serializers
from mongodb.rest_framework.serializers import DocumentSerializer

class UserSerializer(DocumentSerializer):
    class Meta:
        model = User
        fields = '__all__'
"""
)

# heading: what it takes for granted; then a use of what it defines, if it only defines.
BLOCKS: dict[str, tuple[str, str]] = {
    "3. Define a Document": ("", "User(name='A', email='a@example.com').save()"),
    "4. Use the Document": (PEOPLE, "list(users), list(adults)"),
    "Basic Document Definition": (PEOPLE, "BlogPost(title='t').save(); list(BlogPost.objects)"),
    "Document Inheritance": ("", "Product(name='p', price=1).save()"),
    "String Fields": ("", "MyDocument(name='n', email='a@example.com', code='ABC123').save()"),
    "Numeric Fields": ("", "Product(quantity=1, price='1.50').save()"),
    "Date and Time Fields": ("", "Event(event_date=datetime.now().date()).save()"),
    "Boolean and Binary Fields": ("", "User(avatar=b'x').save()"),
    "Embedded Documents": ("", "User(name='A', email='a@example.com').save()"),
    "Field Options": ("my_validator = None", "assert field.required"),
    "Basic Queries": (PEOPLE, "list(users), list(active_users)"),
    "Query Operators": (PEOPLE, ""),
    "Complex Queries": (PEOPLE, "list(users)"),
    "Ordering and Limiting": (PEOPLE, "list(users)"),
    "Field Selection": (PEOPLE, "list(users)"),
    "Aggregation": (PEOPLE, "list(age_groups)"),
    "Raw Queries": (PEOPLE, "list(users), list(results)"),
    "Basic Serializers": (PEOPLE, ""),
    "ViewSets": (DRF, "UserViewSet.as_view({'get': 'list'})"),
    "Nested Serializers": (DRF, "AddressSerializer().fields, UserSerializer"),
    "Custom Fields": (DRF, ""),
    "Validation": (DRF, "UserSerializer().fields"),
    "Signals": (PEOPLE + "def send_email(*args): pass", "john.save()"),
    "Custom Validation": ("", "User(name='x')"),
    "Complex Fields": (
        PEOPLE + INNER + "class Category(Document):\n    name = StringField()\n",
        "BlogPost(title='t', related_object=john).save()",
    ),
    "File Fields": ("", "Document(title='t').save()"),
    "Geospatial Queries": ("", "assert Location.objects.count() == 1"),
    "Context Managers": (PEOPLE, "assert User.objects(email='john@example.com').count() == 2"),
    "Common Exceptions": (PEOPLE + "User(name='John').save()", ""),
    "Custom Error Handling": (PEOPLE, "assert user == john"),
    "2. Document Design": (INNER, "BlogPost(title='t').save()"),
    "3. Indexing Strategy": ("", "User(email='a@example.com').save()"),
    "4. Query Optimization": (PEOPLE, "list(users), list(posts), list(page)"),
    "5. Validation": ("", "User(email='a@example.com').save()"),
}
# connections, and lists of calls: in test_connections.py and test_api_reference.py
ELSEWHERE = {
    "1. Configure Django Settings",
    "2. Connect to MongoDB",
    "Basic Connection",
    "Multiple Connections",
    "Connection Options",
    "Connection URI",
    "1. Connection Management",
    "Connection Functions",
    "Document Methods",
    "QuerySet Methods",
    "Field Types Reference",
    "GridFS File Handling",  # test_advanced.py
}
# in test_slips.py
CANNOT = {"Meta Options", "Indexing"}


def test_no_block_is_forgotten(seed: Any) -> None:
    assert set(seed.blocks) == {*BLOCKS, *ELSEWHERE, *CANNOT}
    assert all(len(blocks) == 1 for blocks in seed.blocks.values())


@pytest.fixture
def quiet() -> Any:
    """Forget the receivers that a block connects."""
    kept = {name: getattr(mongodb.signals, name) for name in mongodb.signals.__all__}
    kept = {name: s for name, s in kept.items() if isinstance(s, mongodb.signals.Signal)}
    before = {name: signal._entries for name, signal in kept.items()}
    yield
    for name, signal in kept.items():
        signal._entries = before[name]


@pytest.mark.parametrize("heading", BLOCKS)
def test_block_runs_as_written(connected: str, seed: Any, quiet: None, heading: str) -> None:
    surroundings, use = BLOCKS[heading]
    mongodb.connect(f"backup_{mongodb.get_db().name}", alias="backup_db", host=connected)
    names: dict[str, Any] = {}
    exec(
        "import re\nfrom datetime import datetime\nfrom mongodb import *\n"
        "from mongodb.fields import *\nfrom mongodb.errors import ValidationError\n",
        names,
    )
    exec(surroundings, names)
    started = datetime.datetime.now(datetime.UTC)
    exec(compile(seed.blocks[heading][0], f"<{heading}>", "exec", dont_inherit=True), names)
    exec(use, names)
    assert (datetime.datetime.now(datetime.UTC) - started).total_seconds() < 10
