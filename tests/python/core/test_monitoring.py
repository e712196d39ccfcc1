# SPDX-License-Identifier: Apache-2.0
"""Commands in the log, slow ones as warnings, in the debug toolbar and in OpenTelemetry's spans."""

import logging
import pathlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest

import mongodb
from mongodb import Document, IntField, OperationError, StringField, _core
from mongodb._command_log import shape, tell
from mongodb.connection import get_connection_handle


class Gauge(Document):
    name = StringField()
    value = IntField()


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    mongodb.disconnect_all()


def test_values_are_not_in_a_shape() -> None:
    asked = {
        "find": "gauge",
        "filter": {"name": "secret", "value": {"$in": [1, 2, 3]}, "a": {"$elemMatch": {"b": 1}}},
        "sort": {"name": 1},
        "limit": 3,
        "lsid": {"id": 1},
        "$db": "x",
    }
    assert shape(asked) == {
        "filter": {"name": "?", "value": {"$in": ["?", "…"]}, "a": {"$elemMatch": {"b": "?"}}},
        "sort": {"name": 1},
        "limit": 3,
    }
    pipeline = [{"$match": {"a": "secret"}}, {"$group": {"_id": "$a"}}, {"$sort": {"_id": -1}}]
    assert shape({"aggregate": "gauge", "pipeline": pipeline})["pipeline"] == [
        {"$match": {"a": "?"}},
        {"$group": {"_id": "$a"}},
        {"$sort": {"_id": -1}},
    ]
    assert shape({"insert": "gauge", "documents": [{"a": "secret"}, {}]}) == {"documents": 2}


SECRET = "$2b$secret"
HIDING: list[dict[str, object]] = [
    {"find": "c", "filter": {"password": SECRET, "a": [SECRET, {"b": SECRET}]}},
    {"find": "c", "filter": {"sort": "secret", "limit": {"a": "secret"}, "pipeline": [SECRET]}},
    {"find": "c", "projection": {"cards": {"$elemMatch": {"number": "secret"}}}, "sort": "secret"},
    {"update": "c", "updates": [{"q": {"u": [SECRET]}, "u": {"$set": {"a": SECRET}}}]},
    {"update": "c", "updates": [{"q": {"update": [SECRET]}, "u": {"projection": "secret"}}]},
    {"findAndModify": "c", "query": {"pipeline": [SECRET]}, "update": {"$set": {"a": SECRET}}},
    {"aggregate": "c", "pipeline": [{"$project": {"a": {"$eq": ["$a", "secret"]}}}]},
    {"aggregate": "c", "pipeline": [{"$match": {"a": SECRET}}, {"$limit": "secret"}]},
    {"aggregate": "c", "pipeline": [{"$addFields": {"a": {"$literal": SECRET}}}]},
    {"aggregate": "c", "pipeline": [{"$facet": {"a": [{"$match": {"a": [SECRET]}}]}}]},
    {"aggregate": "c", "pipeline": [{"$geoNear": {"query": {"a": SECRET}}}]},
]


@pytest.mark.parametrize("command", HIDING, ids=repr)
def test_no_place_of_a_command_shows_its_values(command: dict[str, object]) -> None:
    assert "secret" not in repr(shape(command))


def test_paths_of_expressions_are_shown() -> None:
    update = {"q": {"$expr": {"$gt": ["$a", 1]}}, "u": [{"$set": {"a": "$b"}}]}
    assert shape({"update": "c", "updates": [update]})["updates"] == [
        {"q": {"$expr": {"$gt": ["$a", "?"]}}, "u": [{"$set": {"a": "$b"}}]}
    ]
    assert shape({"find": "c", "projection": {"a": 1, "b": "$c"}, "hint": "a_1"}) == {
        "projection": {"a": 1, "b": "$c"},
        "hint": "a_1",
    }


def test_a_line_is_one_line_and_not_long(caplog) -> None:
    caplog.set_level(logging.DEBUG, "mongodb.commands")
    many = {"update": "c\nx\x1b", "updates": [{"q": {"a\u2028": 1, "b" * 9000: 1}}] * 99}
    tell(logging.DEBUG, "", "update", "db", many, 1, "in 1 ms")
    (text,) = caplog.messages
    assert len(text) < 5000 and text.isprintable() and "c\\nx\\x1b" in text


def test_a_refusal_in_the_log_quotes_no_value(store_uri: str, caplog) -> None:
    caplog.set_level(logging.DEBUG, "mongodb.commands")
    mongodb.connect("refused", host=store_uri)
    Gauge.drop_collection()
    Gauge(name="a").save()
    change = {"findAndModify": "gauge", "query": {}, "update": {"$inc": {"name": "secret"}}}
    with pytest.raises(OperationError, match="secret"):
        get_connection_handle().run(change)
    texts = "".join(caplog.messages)
    assert "secret" not in texts and "failed: TypeMismatch (14) in" in texts, texts


def test_the_log_has_every_command_at_debug(store_uri: str, caplog) -> None:
    caplog.set_level(logging.DEBUG, "mongodb.commands")
    mongodb.connect("logged", host=store_uri)
    Gauge.drop_collection()
    caplog.clear()
    Gauge(name="secret", value=3).save()
    list(Gauge.objects(name="secret").order_by("value"))
    with pytest.raises(OperationError):
        get_connection_handle().run({"nonsense": 1})
    records = [one for one in caplog.records if one.name == "mongodb.commands"]
    texts = [one.getMessage() for one in records]
    assert "secret" not in "".join(texts)
    found = next(one for one in records if one.command == "find")
    assert (found.database, found.collection) == ("logged", "gauge") and found.duration_ms > 0
    assert found.shape["filter"] == {"name": "?"} and "1 documents in" in found.getMessage()
    assert any("insert logged.gauge" in text and "n 1 in" in text for text in texts)
    assert any("nonsense" in text and "failed: " in text for text in texts)


def test_slow_commands_are_warned_of(store_uri: str, caplog) -> None:
    mongodb.connect("slow", host=store_uri, slowms=0)
    caplog.set_level(logging.WARNING, "mongodb.commands")
    Gauge.drop_collection()
    caplog.clear()
    Gauge.objects.insert([Gauge(name="x" * 100, value=n) for n in range(100)])
    assert Gauge.objects(value__gt=50).count() == 49
    texts = [one.getMessage() for one in caplog.records]
    # the body of a large command is not kept
    assert any(text.startswith("slow: insert slow in ") for text in texts), texts
    assert any("slow: " in text and 'gauge {"' in text and '{"$gt": "?"}' in text for text in texts)
    assert "50" not in "".join(text.rpartition(" in ")[0] for text in texts)


def test_a_threshold_keeps_fast_commands_away(store_uri: str, caplog) -> None:
    mongodb.connect("fast", host=store_uri, slowms=60_000)
    caplog.set_level(logging.WARNING, "mongodb.commands")
    Gauge(name="a").save()
    assert Gauge.objects.count() and not caplog.records


def test_listeners_hear_and_slow_commands_are_warned_of(caplog) -> None:
    from pymongo.monitoring import CommandListener

    class Hearing(CommandListener):
        names: list[str] = []

        def started(self, event) -> None:
            self.names.append(event.command_name)

        def succeeded(self, event) -> None: ...
        def failed(self, event) -> None: ...

    caplog.set_level(logging.WARNING, "mongodb.commands")
    mongodb.connect("both", host="docstore://:memory:", slowms=0, event_listeners=[Hearing()])
    Gauge.objects.count()
    assert "count" in Hearing.names
    assert any("slow: count both.gauge" in one.getMessage() for one in caplog.records)


def test_a_threshold_is_a_number() -> None:
    for wrong in ("10", -1, 2**40):
        with pytest.raises(ValueError, match="slowms is a number of milliseconds"):
            mongodb.connect("wrong", host="docstore://:memory:", slowms=wrong)


def test_the_core_tells_ends_above_a_threshold_alone() -> None:
    told = []
    client = _core.Client("docstore://:memory:", monitor=lambda *a: told.append(a), slow_us=0)
    client.run("db", {"insert": "a", "documents": [{"_id": 1}]})
    client.run("db", {"insert": "a", "documents": [{"_id": "x" * 5000}]})
    with pytest.raises(OperationError):
        client.run("db", {"nothing": 1})
    assert [(one[0], one[1], one[2]) for one in told] == [
        (1, "insert", "db"), (1, "insert", "db"), (2, "nothing", "db"),
    ]  # fmt: skip
    bodies = [one[3] for one in told]
    assert bodies[0]["documents"] == [{"_id": 1}] and bodies[1] is None
    assert bodies[2] == {"nothing": 1}
    client.close()


def run_project(folder: pathlib.Path, code: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


PROJECT = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="tests", DEBUG=True, ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    INTERNAL_IPS=["127.0.0.1"], STATIC_URL="static/", USE_TZ=True,
    INSTALLED_APPS=["django.contrib.staticfiles", "debug_toolbar", "mongodb"],
    MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
    DEBUG_TOOLBAR_PANELS=["mongodb.panels.MongoDBPanel"],
    MONGODB_SETTINGS={"host": "docstore://:memory:", "db": "shop"},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path
from mongodb import Document, StringField

class Shown(Document):
    name = StringField()

def view(request):
    for _ in range(3):
        list(Shown.objects(name="<secret>"))
    return HttpResponse("<html><body>here</body></html>")

urlpatterns = [path("", view), path("__debug__/", include("debug_toolbar.urls"))]
"""


def test_the_toolbar_has_a_panel_of_a_request_commands(tmp_path: pathlib.Path) -> None:
    shown = run_project(
        tmp_path,
        PROJECT
        + """
from debug_toolbar.store import get_store
Shown.objects.count()
page = Client().get("/").content.decode()
from debug_toolbar.toolbar import DebugToolbar
toolbar = DebugToolbar.fetch(list(get_store().request_ids())[-1], "MongoDBPanel")
panel = toolbar.get_panel_by_id("MongoDBPanel")
print(panel.nav_subtitle)
print(panel.content)
""",
    )
    assert "3 commands in " in shown or "4 commands in " in shown
    assert "shop.shown" in shown and shown.count("<td>find</td>") == 3
    assert "secret" not in shown and "<td>3</td>" in shown


def test_open_telemetry_has_a_span_of_each_command(tmp_path: pathlib.Path) -> None:
    shown = run_project(
        tmp_path,
        """
        from opentelemetry import trace
        from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        spans = InMemorySpanExporter()
        trace.set_tracer_provider(TracerProvider())
        trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(spans))
        PymongoInstrumentor().instrument()
        import mongodb
        mongodb.connect("traced", host="docstore://:memory:")
        class Traced(mongodb.Document):
            name = mongodb.StringField()
        Traced(name="a").save()
        print(Traced.objects.count())
        print([one.name for one in spans.get_finished_spans()])
        """,
    )
    assert "insert" in shown and "count" in shown, shown
