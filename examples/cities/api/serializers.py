# SPDX-License-Identifier: Apache-2.0
"""How the demo's documents look as JSON."""

from rest_framework import serializers

from mongodb.rest_framework.serializers import DocumentSerializer

from .documents import City, Comment, Location, Post, User


class LocationSerializer(DocumentSerializer):
    class Meta:
        model = Location
        fields = "__all__"


class CitySerializer(DocumentSerializer):
    location = LocationSerializer(required=False)

    class Meta:
        model = City
        fields = "__all__"


class UserSerializer(DocumentSerializer):
    class Meta:
        model = User
        fields = "__all__"
        read_only_fields = ["created_at"]


class CommentSerializer(DocumentSerializer):
    class Meta:
        model = Comment
        fields = "__all__"


class PostSerializer(DocumentSerializer):
    comments = CommentSerializer(many=True, required=False)
    comment_count = serializers.SerializerMethodField()

    class Meta:
        model = Post
        fields = [
            "id",
            "title",
            "content",
            "author",
            "tags",
            "comments",
            "comment_count",
            "published",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["created_at", "updated_at"]
        extra_kwargs = {"content": {"style": {"base_template": "textarea.html"}}}

    def get_comment_count(self, post: Post) -> int:
        return len(post.comments)
