# SPDX-License-Identifier: Apache-2.0
from django.contrib.auth.models import Permission, User
from pages import AdminCase
from rest_framework.authtoken.models import Token, TokenProxy
from rest_framework.test import APITestCase

from with_rest.models import Note, Writer


class ApiTest(APITestCase):
    @classmethod
    def setUpTestData(cls):
        cls.user = User.objects.create_user("ann", password="secret")
        cls.user.user_permissions.set(
            Permission.objects.filter(content_type__app_label="with_rest")
        )
        cls.writer = Writer.objects.create(name="Ann")

    def setUp(self):
        got = self.client.post("/token/", {"username": "ann", "password": "secret"})
        self.client.credentials(HTTP_AUTHORIZATION=f"Token {got.data['token']}")

    def add(self, **more):
        data = {"text": "Hello", "slug": "hello", "writer": self.writer.pk, **more}
        return self.client.post("/notes/", data, format="json")

    def test_tokens_open_the_door(self):
        self.assertEqual(self.client.get("/notes/").status_code, 200)
        self.assertEqual(Token.objects.get().user, self.user)
        self.client.credentials(HTTP_AUTHORIZATION="Token nothing")
        self.assertEqual(self.client.get("/notes/").status_code, 401)
        wrong = self.client.post("/token/", {"username": "ann", "password": "x"})
        self.assertEqual(wrong.status_code, 400)

    def test_permissions(self):
        self.user.user_permissions.clear()
        self.assertEqual(self.add().status_code, 403)

    def test_rows_are_made_changed_and_deleted(self):
        made = self.add(meta={"a": [1, None]}, likers=[self.writer.pk])
        self.assertEqual(made.status_code, 201, made.data)
        url = f"/notes/{made.data['id']}/"
        self.assertEqual(self.client.get(url).data["by"]["name"], "Ann")
        self.assertEqual(self.client.get(url).data["meta"], {"a": [1, None]})
        changed = self.client.patch(url, {"stars": 3, "likers": []}, format="json")
        self.assertEqual((changed.data["stars"], changed.data["likers"]), (3, []))
        self.assertEqual(self.client.delete(url).status_code, 204)
        self.assertEqual(self.client.get(url).status_code, 404)

    def test_mistakes_are_told(self):
        self.add()
        self.assertEqual(self.add().data["non_field_errors"][0].code, "unique")
        self.assertEqual(self.add(slug="b", writer=99).data["writer"][0].code, "does_not_exist")
        self.assertEqual(self.add(slug="b", stars=-1).data["stars"][0].code, "min_value")
        again = self.client.post("/writers/", {"name": "Ann"})
        self.assertEqual(again.data["name"][0].code, "unique")

    def test_search_order_and_pages(self):
        Writer.objects.create(name="Zoe")
        for i in range(5):
            self.add(slug=f"s{i}", text=f"note {i % 2}", stars=i)
        found = self.client.get("/notes/", {"search": "NOTE 1 ann", "ordering": "-stars"})
        self.assertEqual([one["slug"] for one in found.data], ["s3", "s1"])
        seen, url = [], "/latest/"
        while url:
            page = self.client.get(url).data
            seen += [one["slug"] for one in page["results"]]
            url = page["next"]
        self.assertEqual(seen, ["s4", "s3", "s2", "s1", "s0"])
        self.assertEqual(len(self.client.get("/notes/").data), 5)
        counted = self.client.get("/writers/").data
        self.assertEqual([(w["name"], w["written"]) for w in counted], [("Ann", 5), ("Zoe", 0)])

    def test_queries_of_a_list(self):
        for i in range(3):
            self.add(slug=f"s{i}")
        with self.assertNumQueries(3):  # the token and its user, the notes, who likes them
            self.client.get("/notes/")
        self.assertEqual(Note.objects.count(), 3)


class TokenAdminTest(AdminCase):
    def test_pages(self):
        self.send("/admin/authtoken/tokenproxy/add/", user=self.root.pk)
        token = TokenProxy.objects.get()
        self.assertContains(self.page(TokenProxy, "changelist"), token.key)
        self.assertEqual(self.page(TokenProxy, "change", token.pk).status_code, 200)
