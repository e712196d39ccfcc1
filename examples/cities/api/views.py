# SPDX-License-Identifier: Apache-2.0
"""The demo's API: plain Django REST Framework viewsets over documents."""

import os

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from visits.models import Visit

from .documents import City, Post, User
from .serializers import CitySerializer, PostSerializer, UserSerializer


class CityViewSet(viewsets.ModelViewSet):
    """Cities of the world with 15,000 inhabitants or more: filter, search, order, page."""

    queryset = City.objects.all()
    serializer_class = CitySerializer
    filterset_fields = {
        "country": ["exact", "in"],
        "population": ["exact", "gt", "gte", "lt", "lte"],
        "timezone": ["exact", "startswith"],
    }
    search_fields = ["name", "country_name"]
    ordering_fields = ["name", "population", "country"]

    @action(detail=False, url_path="by-country")
    def by_country(self, request: Request) -> Response:
        """Cities and inhabitants of each country, counted by the store."""
        rows = City.objects.aggregate(
            [
                {
                    "$group": {
                        "_id": "$country",
                        "name": {"$first": "$country_name"},
                        "cities": {"$sum": 1},
                        "population": {"$sum": "$population"},
                    }
                },
                {"$sort": {"population": -1, "_id": 1}},
                {
                    "$project": {
                        "_id": 0,
                        "country": "$_id",
                        "name": 1,
                        "cities": 1,
                        "population": 1,
                    }
                },
            ]
        )
        return Response(list(rows))


class UserViewSet(viewsets.ModelViewSet):
    """The people who write posts."""

    queryset = User.objects.all()
    serializer_class = UserSerializer
    filterset_fields = ["name", "email", "is_active"]
    search_fields = ["name", "email"]
    ordering_fields = ["name", "age", "created_at"]


class PostViewSet(viewsets.ModelViewSet):
    """Posts with their comments inside."""

    queryset = Post.objects.all()
    serializer_class = PostSerializer
    filterset_fields = ["author", "tags", "published"]
    search_fields = ["title", "content"]
    ordering_fields = ["title", "created_at"]


CALLS = [
    ("The largest cities", "GET", "/api/cities/", None),
    (
        "Cities of France above 200,000, by name",
        "GET",
        "/api/cities/?country=FR&population__gte=200000&ordering=name",
        None,
    ),
    ("One city", "GET", "/api/cities/2988507/", None),
    ("Inhabitants by country", "GET", "/api/cities/by-country/", None),
    (
        "Add a user",
        "POST",
        "/api/users/",
        '{"name": "Ada", "email": "ada@example.com", "age": 36}',
    ),
]


def start(request: HttpRequest) -> HttpResponse:
    """The start page: what there is and the calls to try."""
    base = request.build_absolute_uri("/").rstrip("/")
    calls = []
    for title, method, path, body in CALLS:
        command = f"curl -s '{base}{path}'"
        if body:
            command += f" -H 'Content-Type: application/json' -d '{body}'"
        calls.append({"title": title, "method": method, "path": path, "curl": command})
    context = {
        "calls": calls,
        "store": store(),
        "cities": f"{City.objects.count():,}",
        "users": f"{User.objects.count():,}",
        "posts": f"{Post.objects.count():,}",
        "visits": f"{Visit.objects.count():,}",
    }
    return render(request, "api/start.html", context)


def store() -> str:
    """Where the data is, in words."""
    uri = os.environ.get("MONGODB_URI", "")
    if uri.startswith("mongodb"):
        return "a MongoDB server"
    return "one file, without a server"
