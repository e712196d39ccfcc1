# SPDX-License-Identifier: Apache-2.0
"""A DRF list of 100 documents: the whole request."""

import json
from typing import Any

import mongoengine
import pymongo
from bson import ObjectId
from models import declare
from rest_framework import renderers, serializers, viewsets
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from support import compare, make_document

import mongodb
from mongodb.rest_framework.renderers import JSONRenderer
from mongodb.rest_framework.serializers import DocumentSerializer

COUNT = 100
ROUNDS = 20


def our_view(cls: Any) -> Any:
    class PersonSerializer(DocumentSerializer):
        class Meta:
            model = cls
            fields = "__all__"

    class PersonViewSet(viewsets.ModelViewSet[Any]):
        queryset = cls.objects.all()
        serializer_class = PersonSerializer
        renderer_classes = [JSONRenderer]

    return PersonViewSet.as_view({"get": "list"})


def peer_view(cls: Any) -> Any:
    from rest_framework_mongoengine import serializers as peer_serializers
    from rest_framework_mongoengine import viewsets as peer_viewsets

    class PersonSerializer(peer_serializers.DocumentSerializer):
        class Meta:
            model = cls
            fields = "__all__"

    class PersonViewSet(peer_viewsets.ModelViewSet):
        queryset = cls.objects.all()
        serializer_class = PersonSerializer
        renderer_classes = [renderers.JSONRenderer]

    return PersonViewSet.as_view({"get": "list"})


def hand_view(collection: Any) -> Any:
    show_date = serializers.DateTimeField().to_representation

    class PersonView(APIView):
        renderer_classes = [renderers.JSONRenderer]

        def get(self, request: Any) -> Response:
            found = []
            for person in collection.find():
                person["id"] = str(person.pop("_id"))
                person["joined"] = show_date(person["joined"])
                found.append(person)
            return Response(found)

    return PersonView.as_view()


def rows(uri: str, folder: str, rounds: int) -> list[dict[str, Any]]:
    documents = [make_document(number) for number in range(COUNT)]
    raw = pymongo.MongoClient(uri)
    raw.bench.drop_collection("drf")
    raw.bench.drf.insert_many(documents)
    mongodb.connect("bench", host=f"docstore://{folder}/drf.docstore", alias="embedded")
    mongodb.connect("bench", host=uri, alias="remote")
    mongoengine.connect("bench", host=uri, alias="drf_peer")
    mongodb.get_db("embedded").drf.insert_many(documents)
    factory = APIRequestFactory()
    views = {
        "embedded": our_view(declare(mongodb, "drf", "embedded").Person),
        "remote": our_view(declare(mongodb, "drf", "remote").Person),
        "hand": hand_view(raw.bench.drf),
    }
    try:
        views["peer"] = peer_view(declare(mongoengine, "drf", "drf_peer").Person)
    except ImportError as error:
        raise SystemExit("pip install django-rest-framework-mongoengine") from error

    def request(view: Any) -> Any:
        response = view(factory.get("/", HTTP_ACCEPT="application/json")).render()
        assert response.status_code == 200
        return response.content

    shown = [json.loads(request(views[name])) for name in ("embedded", "remote")]
    assert len(shown[0]) == COUNT and shown[0] == shown[1] and ObjectId(shown[0][0]["id"])

    def many(view: Any) -> Any:
        return lambda: [request(view) for _ in range(ROUNDS)]

    times = compare({name: many(view) for name, view in views.items()}, rounds)
    mongodb.disconnect("embedded")
    mongodb.disconnect("remote")

    def row(work: str, ours: str, against: str, target: float) -> dict[str, Any]:
        return {
            "work": work,
            "ours": f"{times[ours].wall / ROUNDS * 1e3:.2f} ms",
            "peer": f"{times[against].wall / ROUNDS * 1e3:.2f} ms",
            "ratio": times[against].wall / times[ours].wall,
            "target": target,
        }

    return [
        row(
            "DRF list of 100 documents, whole request, mongod; DRF-MongoEngine",
            "remote",
            "peer",
            15,
        ),
        row("the same; a hand-written PyMongo view", "remote", "hand", 1),
        row("the same, embedded; DRF-MongoEngine on mongod", "embedded", "peer", 15),
        row("the same, embedded; a hand-written PyMongo view", "embedded", "hand", 1),
    ]
