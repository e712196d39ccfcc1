# SPDX-License-Identifier: Apache-2.0
import re

from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core import mail
from django.db import IntegrityError, transaction
from django.test import TestCase
from pages import AdminCase

SIGN_UP = {"email": "ann@example.com", "username": "ann", "password1": "st-Ann7!x",
           "password2": "st-Ann7!x"}  # fmt: skip


class AccountTest(TestCase):
    def test_signing_up_confirming_and_logging_in(self):
        done = self.client.post("/accounts/signup/", SIGN_UP)
        self.assertRedirects(done, "/accounts/confirm-email/")
        address = EmailAddress.objects.get(email__iexact="ANN@example.com")
        self.assertFalse(address.verified)
        url = re.search(r"http://testserver(\S+)", mail.outbox[0].body)[1]
        self.assertEqual(self.client.get(url).status_code, 200)
        self.assertEqual(self.client.post(url).status_code, 302)
        address.refresh_from_db()
        self.assertTrue(address.verified and address.primary)
        self.client.logout()
        login = {"login": "ann", "password": "st-Ann7!x"}
        done = self.client.post("/accounts/login/", login)
        self.assertEqual(done.status_code, 302)
        self.assertEqual(int(self.client.session["_auth_user_id"]), address.user_id)
        self.assertEqual(self.client.get("/accounts/email/").status_code, 200)
        self.assertTrue(UserSession.objects.filter(user=address.user).exists())

    def test_a_forgotten_password(self):
        user = User.objects.create_user("bob", "bob@example.com", "old")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        self.client.post("/accounts/password/reset/", {"email": "Bob@example.com"})
        url = re.search(r"http://testserver(\S+)", mail.outbox[0].body)[1]
        page = self.client.get(url, follow=True)
        new = {"password1": "new-Bob8!x", "password2": "new-Bob8!x"}
        self.client.post(page.redirect_chain[-1][0], new)
        user.refresh_from_db()
        self.assertTrue(user.check_password("new-Bob8!x"))

    def test_an_address_is_primary_or_verified_once(self):
        ann, bob = (User.objects.create_user(name) for name in ("ann", "bob"))
        first = EmailAddress.objects.create(user=ann, email="a@example.com", primary=True)
        with self.assertRaises(IntegrityError), transaction.atomic():
            EmailAddress.objects.create(user=ann, email="b@example.com", primary=True)
        second = EmailAddress.objects.create(user=ann, email="b@example.com")
        second.set_as_primary()
        first.refresh_from_db()
        self.assertFalse(first.primary)
        first.verified = True
        first.save()
        with self.assertRaises(IntegrityError), transaction.atomic():
            EmailAddress.objects.create(user=bob, email="a@example.com", verified=True)
        EmailAddress.objects.create(user=bob, email="a@example.com")
        self.assertEqual(EmailConfirmationHMAC.from_key(EmailConfirmationHMAC(second).key).email_address,
                         second)  # fmt: skip


class SocialTest(AdminCase):
    def test_accounts_of_other_sites(self):
        app = SocialApp.objects.create(provider="google", name="G", client_id="1", secret="2",
                                       settings={"scope": ["email"]})  # fmt: skip
        account = SocialAccount.objects.create(
            user=self.root, provider="google", uid="7", extra_data={"email": "root@example.com"}
        )
        SocialToken.objects.create(app=app, account=account, token="t")
        found = SocialAccount.objects.get(extra_data__email="root@example.com")
        self.assertEqual(found.socialtoken_set.get().app.settings, {"scope": ["email"]})
        with self.assertRaises(IntegrityError), transaction.atomic():
            SocialAccount.objects.create(user=self.root, provider="google", uid="7")
        Authenticator.objects.create(user=self.root, type="totp", data={"secret": "x"})
        address = EmailAddress.objects.create(user=self.root, email="root@example.com")
        self.open(account, app, address, Authenticator.objects.get())
