# SPDX-License-Identifier: Apache-2.0
"""Django's authentication, with users who are documents."""

import asyncio
import re
import threading

from django.contrib.admin import AdminSite
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.forms import PasswordResetForm, SetPasswordForm
from django.core import mail
from django.core.checks import run_checks
from django.test import SimpleTestCase

from mongodb.auth import AuthGroup
from mongodb.auth.backends import DocumentBackend
from mongodb.errors import NotUniqueError, ValidationError

from .models import Member


class People(SimpleTestCase):
    def setUp(self):
        for cls in (Member, AuthGroup):
            cls.objects.delete()
        self.ada = Member.objects.create_user("ada", "ada@EXAMPLE.com", "first", nickname="Ada")

    def test_the_user_model(self):
        self.assertIs(get_user_model(), Member)
        self.assertEqual([one for one in run_checks() if one.id.startswith("auth")], [])
        self.assertEqual((self.ada.email, self.ada.natural_key()), ("ada@example.com", ("ada",)))
        with self.assertRaises(NotUniqueError):
            Member.objects.create_user("ada")
        with self.assertRaises(ValueError):
            Member.objects.create_user("")
        with self.assertRaises(ValidationError):
            Member(username="bob").save()

    def test_passwords(self):
        self.assertTrue(self.ada.check_password("first"))
        self.assertFalse(self.ada.check_password("other"))
        self.assertFalse(Member.objects.create_user("bob").has_usable_password())
        self.assertEqual(authenticate(username="ada", password="first"), self.ada)
        self.assertIsNone(authenticate(username="ada", password="other"))
        self.assertIsNone(authenticate(username="nobody", password="first"))
        Member.objects(username="ada").update(is_active=False)
        self.assertIsNone(authenticate(username="ada", password="first"))

    def test_operators_are_no_name(self):
        for name in ({"$ne": ""}, {"$regex": "^a"}, {}, ["ada"]):
            self.assertIsNone(authenticate(username=name, password="first"))
            with self.assertRaises(Member.DoesNotExist):
                Member.objects.get_by_natural_key(name)

    def test_permissions_are_read_in_a_thread(self):
        group = AuthGroup(name="editors", permissions=["people.add_member"]).save()
        Member.objects(username="ada").update(groups=[group])
        threads = []

        class Noting(DocumentBackend):
            def _get_permissions(self, *args):
                threads.append(threading.current_thread())
                return super()._get_permissions(*args)

        async def ask():
            ada = await Member.objects.aget(username="ada")
            found = await Noting()._aget_permissions(ada, None, "group")
            return threading.current_thread(), found

        there, found = asyncio.run(ask())
        self.assertEqual(found, {"people.add_member"})
        self.assertNotIn(there, threads)

    def test_a_password_of_an_older_hasher_is_hashed_anew(self):
        from django.contrib.auth.hashers import make_password

        Member.objects(username="ada").update(password=make_password("x", hasher="pbkdf2_sha256"))
        self.assertTrue(Member.objects.get(username="ada").check_password("x"))
        self.assertTrue(Member.objects.get(username="ada").password.startswith("md5$"))

    def test_login_and_logout(self):
        self.assertRedirects(self.client.get("/"), "/login/?next=/")
        page = self.client.post("/login/?next=/", {"username": "ada", "password": "no"})
        self.assertContains(page, "Please enter a correct")
        page = self.client.post("/login/?next=/", {"username": "ada", "password": "first"})
        self.assertRedirects(page, "/")
        self.assertContains(self.client.get("/"), "hello Ada")
        self.assertIsNotNone(Member.objects.get().last_login)
        changed = Member.objects.get()
        changed.set_password("second")
        changed.save()
        self.assertEqual(self.client.get("/").status_code, 302)
        self.assertTrue(self.client.login(username="ada", password="second"))
        self.client.logout()
        self.assertEqual(self.client.get("/").status_code, 302)

    def test_permissions_of_users_and_groups(self):
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/secret/").status_code, 403)
        group = AuthGroup(name="g", permissions=["people.change_member"]).save()
        self.ada.groups = [group]
        self.ada.user_permissions = ["people.add_member"]
        self.ada.save()
        self.assertContains(self.client.get("/secret/"), "secret")
        ada = Member.objects.get()
        self.assertEqual(ada.get_all_permissions(), {"people.add_member", "people.change_member"})
        self.assertTrue(ada.has_perms(["people.add_member"]) and ada.has_module_perms("people"))
        self.assertFalse(ada.has_perm("people.add_member", ada) or ada.has_module_perms("auth"))
        from mongodb.auth.backends import DocumentBackend

        found = DocumentBackend().with_perm("people.change_member")
        self.assertEqual(list(found), [ada])
        root = Member.objects.create_superuser("root", password="x")
        self.assertTrue(root.has_perm("any.thing"))

    def test_a_name_is_a_text_and_no_operator(self):
        for name in ({"$ne": None}, {"$gt": ""}, ["ada"], re.compile("a"), 1, True):
            self.assertIsNone(authenticate(username=name, password="first"), name)
            with self.assertRaises(Member.DoesNotExist):
                Member.objects.get_by_natural_key(name)

    def test_a_group_that_is_deleted_is_no_members_any_more(self):
        group = AuthGroup(name="g", permissions=["people.change_member"]).save()
        self.ada.groups = [group]
        self.ada.save()
        group.delete()
        self.assertFalse(Member.objects.get().has_perm("people.change_member"))
        self.assertEqual(list(Member.objects.get().groups), [])

    def test_the_admin_asks_nothing_of_passwords(self):
        from mongodb.admin import DocumentAdmin

        asked = DocumentAdmin(Member, AdminSite())
        self.assertTrue(asked.lookup_allowed("username__startswith", "a", None))
        self.assertFalse(asked.lookup_allowed("password__startswith", "md5", None))

    def test_a_forgotten_password(self):
        form = PasswordResetForm({"email": "ADA@example.com"})
        self.assertTrue(form.is_valid())
        form.save(domain_override="example.com")
        self.assertEqual(mail.outbox[0].to, ["ada@example.com"])
        (link,) = re.findall(r"/reset/\S+", mail.outbox[0].body)
        page = self.client.get(link, follow=True)
        self.assertContains(page, "new_password1")
        sent = {"new_password1": "much-better-7", "new_password2": "much-better-7"}
        self.client.post(page.redirect_chain[-1][0], sent)
        self.assertTrue(Member.objects.get().check_password("much-better-7"))
        self.assertNotContains(self.client.get(link, follow=True), "new_password1")
        form = SetPasswordForm(Member.objects.get(), {"new_password1": "a", "new_password2": "b"})
        self.assertFalse(form.is_valid())

    def test_tokens(self):
        from mongodb.auth.tokens import AuthToken

        bad = self.client.post("/token/", {"username": "ada", "password": "no"})
        self.assertEqual(bad.status_code, 400)
        sent = {"username": "ada", "password": "first"}
        token = self.client.post("/token/", sent).json()["token"]
        self.assertEqual(self.client.post("/token/", sent).json()["token"], token)
        for head, status in ((f"Token {token}", 200), ("Token nonsense", 401)):
            page = self.client.get("/who/", headers={"authorization": head})
            self.assertEqual(page.status_code, status)
        self.ada.delete()
        self.assertEqual(AuthToken.objects.count(), 0)
