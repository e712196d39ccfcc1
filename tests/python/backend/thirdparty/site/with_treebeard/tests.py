# SPDX-License-Identifier: Apache-2.0
from django.test import TestCase
from pages import AdminCase
from treebeard.exceptions import InvalidMoveToDescendant

from with_treebeard.models import Page, Section, Task

TREE = [
    {"data": {"title": "home"}, "children": [
        {"data": {"title": "about"}, "children": [{"data": {"title": "team"}}]},
        {"data": {"title": "blog"}},
    ]},
    {"data": {"title": "shop"}},
]  # fmt: skip


def names(rows):
    return [row.title for row in rows]


class Trees:
    @classmethod
    def setUpTestData(cls):
        cls.model.load_bulk(TREE)

    def get(self, title):
        return self.model.objects.get(title=title)

    def test_the_tree_is_read(self):
        self.assertEqual(names(self.model.get_root_nodes()), ["home", "shop"])
        self.assertEqual(names(self.get("home").get_descendants()), ["about", "team", "blog"])
        self.assertEqual(names(self.get("team").get_ancestors()), ["home", "about"])
        self.assertEqual(names(self.get("blog").get_siblings()), ["about", "blog"])
        self.assertEqual(self.get("home").get_children_count(), 2)
        dumped = self.model.dump_bulk(keep_ids=False)
        self.assertEqual(dumped[0]["children"][0]["children"][0]["data"]["title"], "team")

    def test_nodes_move(self):
        self.get("about").move(self.get("shop"), self.first)
        self.assertEqual(names(self.get("shop").get_descendants()), ["about", "team"])
        self.assertEqual(self.get("team").get_depth(), 3)
        with self.assertRaises(InvalidMoveToDescendant):
            self.get("shop").move(self.get("team"), self.first)

    def test_branches_are_deleted(self):
        self.get("about").delete()
        self.assertEqual(names(self.get("home").get_descendants()), ["blog"])
        self.model.objects.filter(title__in=["home", "shop"]).delete()
        self.assertEqual(self.model.objects.count(), 0)

    def test_children_are_added(self):
        made = self.get("shop").add_child(title="bags", **self.more)
        made.add_sibling(self.beside, title="cups", **self.more)
        self.assertEqual(names(self.get("shop").get_children()), ["bags", "cups"])


class PathTest(Trees, TestCase):
    model, first, beside, more = Page, "sorted-child", "sorted-sibling", {}

    def test_mistakes_are_found_and_mended(self):
        self.assertEqual(Page.find_problems(), ([], [], [], [], []))
        Page.objects.filter(title="about").update(numchild=7)
        self.assertNotEqual(Page.find_problems(), ([], [], [], [], []))
        Page.fix_tree()
        self.assertEqual(Page.find_problems(), ([], [], [], [], []))


class NestedTest(Trees, TestCase):
    model, first, beside, more = Section, "sorted-child", "sorted-sibling", {}


class ListTest(Trees, TestCase):
    model, first, beside, more = Task, "first-child", "last-sibling", {}


class PageAdminTest(AdminCase):
    def test_pages(self):
        Page.load_bulk(TREE)
        home = Page.objects.get(title="home")
        self.open(home)
        self.send("/admin/with_treebeard/page/add/", title="faq",
                  treebeard_position="sorted-child", treebeard_ref_node=home.pk)  # fmt: skip
        self.assertEqual(names(home.get_children()), ["about", "blog", "faq"])
