# SPDX-License-Identifier: Apache-2.0
from django.contrib.auth.models import Group, User
from django.test import TestCase
from guardian.shortcuts import (
    assign_perm,
    get_group_perms,
    get_objects_for_group,
    get_objects_for_user,
    get_perms,
    get_users_with_perms,
    remove_perm,
)
from guardian.utils import clean_orphan_obj_perms, get_anonymous_user
from pages import AdminCase

from with_guardian.models import Paper

SIGN = "with_guardian.sign_paper"


def titles(rows):
    return sorted(rows.values_list("title", flat=True))


class PermissionsTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann, cls.bob = (User.objects.create_user(name) for name in ("ann", "bob"))
        cls.papers = [Paper.objects.create(title=title) for title in "abc"]
        cls.clerks = Group.objects.create(name="clerks")
        cls.bob.groups.add(cls.clerks)

    def test_migrations_made_who_is_nobody(self):
        self.assertEqual(get_anonymous_user().username, "AnonymousUser")

    def test_one_object(self):
        first, second, _ = self.papers
        assign_perm("sign_paper", self.ann, first)
        self.assertTrue(self.ann.has_perm("sign_paper", first))
        self.assertFalse(self.ann.has_perm("sign_paper", second))
        self.assertEqual(list(get_users_with_perms(first)), [self.ann])
        remove_perm("sign_paper", self.ann, first)
        self.assertFalse(User.objects.get(username="ann").has_perm("sign_paper", first))

    def test_many_objects(self):
        assign_perm("sign_paper", self.ann, Paper.objects.filter(title__in="ac"))
        self.assertEqual(titles(get_objects_for_user(self.ann, SIGN)), ["a", "c"])
        assign_perm("view_paper", self.ann, self.papers[0])
        both = [SIGN, "with_guardian.view_paper"]
        self.assertEqual(titles(get_objects_for_user(self.ann, both)), ["a"])
        self.assertEqual(titles(get_objects_for_user(self.ann, both, any_perm=True)), ["a", "c"])
        remove_perm("sign_paper", self.ann, Paper.objects.all())
        self.assertEqual(titles(get_objects_for_user(self.ann, SIGN)), [])

    def test_groups(self):
        assign_perm("sign_paper", self.clerks, self.papers[1])
        assign_perm("sign_paper", self.bob, self.papers[2])
        self.assertTrue(self.bob.has_perm("sign_paper", self.papers[1]))
        self.assertEqual(titles(get_objects_for_user(self.bob, SIGN)), ["b", "c"])
        self.assertEqual(titles(get_objects_for_user(self.bob, SIGN, use_groups=False)), ["c"])
        self.assertEqual(titles(get_objects_for_group(self.clerks, SIGN)), ["b"])
        self.assertEqual(list(get_group_perms(self.bob, self.papers[1])), ["sign_paper"])
        self.assertEqual(get_perms(self.clerks, self.papers[1]), ["sign_paper"])

    def test_a_permission_for_all(self):
        assign_perm(SIGN, self.ann)
        self.assertEqual(titles(get_objects_for_user(self.ann, SIGN)), ["a", "b", "c"])

    def test_what_is_left_of_deleted_objects(self):
        assign_perm("sign_paper", self.ann, self.papers[0])
        Paper.objects.all().delete()
        self.assertEqual(clean_orphan_obj_perms(), 1)


class PermissionsAdminTest(AdminCase):
    def test_pages(self):
        paper = Paper.objects.create(title="a")
        self.open(paper)
        ann = User.objects.create_user("ann")
        base = f"/admin/with_guardian/paper/{paper.pk}/permissions/"
        self.assertEqual(self.client.get(base).status_code, 200)
        self.send(f"{base}user-manage/{ann.pk}/", permissions=["sign_paper"])
        self.assertTrue(ann.has_perm("sign_paper", paper))
        self.assertContains(self.client.get(base), "ann")
