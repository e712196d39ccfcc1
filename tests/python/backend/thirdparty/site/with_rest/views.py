# SPDX-License-Identifier: Apache-2.0
from django.db.models import Count
from django.urls import include, path
from rest_framework import (
    authentication,
    filters,
    pagination,
    permissions,
    routers,
    serializers,
    viewsets,
)
from rest_framework.authtoken.views import obtain_auth_token

from with_rest.models import Note, Writer


class WriterSerializer(serializers.ModelSerializer):
    written = serializers.IntegerField(read_only=True)

    class Meta:
        model = Writer
        fields = ["id", "name", "written"]


class NoteSerializer(serializers.ModelSerializer):
    by = WriterSerializer(source="writer", read_only=True)

    class Meta:
        model = Note
        fields = ["id", "text", "stars", "slug", "made", "meta", "writer", "likers", "by"]


class Secured:
    authentication_classes = [authentication.TokenAuthentication]
    permission_classes = [permissions.DjangoModelPermissions]


class Writers(Secured, viewsets.ModelViewSet):
    queryset = Writer.objects.annotate(written=Count("notes")).order_by("name")
    serializer_class = WriterSerializer


class ByTime(pagination.CursorPagination):
    page_size = 2
    ordering = "-made"


class Notes(Secured, viewsets.ModelViewSet):
    queryset = Note.objects.select_related("writer").prefetch_related("likers")
    serializer_class = NoteSerializer
    filter_backends = [filters.SearchFilter, filters.OrderingFilter]
    search_fields = ["text", "writer__name"]
    ordering_fields = ["stars"]
    ordering = ["id"]


class Latest(Notes):
    pagination_class = ByTime
    filter_backends = []


router = routers.SimpleRouter()
router.register("writers", Writers)
router.register("notes", Notes)
router.register("latest", Latest, "latest")
urlpatterns = [path("token/", obtain_auth_token), path("", include(router.urls))]
