# SPDX-License-Identifier: Apache-2.0
from django.test import TestCase
from mptt.exceptions import InvalidMove
from pages import AdminCase

from with_mptt.models import Genre, Record


def names(rows):
    return [row.name for row in rows]


def planted():
    tree = {"rock": ["hard", "blues"], "jazz": ["swing"], "hard": ["metal"]}
    for parent, children in tree.items():
        top, _ = Genre.objects.get_or_create(name=parent)
        for child in children:
            top.refresh_from_db()
            Genre.objects.create(name=child, parent=top)


class TreeTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        planted()

    def get(self, name):
        return Genre.objects.get(name=name)

    def test_the_tree_is_read(self):
        self.assertEqual(names(Genre.objects.all()), "jazz swing rock blues hard metal".split())
        self.assertEqual(names(self.get("rock").get_descendants()), ["blues", "hard", "metal"])
        self.assertEqual(names(self.get("metal").get_ancestors()), ["rock", "hard"])
        self.assertEqual(names(self.get("blues").get_siblings()), ["hard"])
        self.assertEqual(names(Genre.objects.root_nodes()), ["jazz", "rock"])
        self.assertEqual(names(self.get("rock").get_leafnodes()), ["blues", "metal"])
        some = Genre.objects.filter(name__in=["hard", "swing"])
        below = Genre.objects.get_queryset_descendants(some, include_self=True)
        self.assertEqual(names(below), ["swing", "hard", "metal"])

    def test_nodes_move(self):
        hard, jazz = self.get("hard"), self.get("jazz")
        hard.move_to(jazz, "last-child")
        self.assertEqual(names(Genre.objects.all()), "jazz swing hard metal rock blues".split())
        self.assertEqual(self.get("metal").get_root(), jazz)
        self.get("swing").move_to(None)
        self.assertEqual(names(Genre.objects.root_nodes()), ["jazz", "rock", "swing"])
        with self.assertRaises(InvalidMove):
            self.get("jazz").move_to(self.get("metal"))

    def test_a_new_parent_is_saved(self):
        metal = self.get("metal")
        metal.parent = self.get("jazz")
        metal.save()
        self.assertEqual(names(self.get("jazz").get_descendants()), ["metal", "swing"])
        self.assertTrue(self.get("hard").is_leaf_node())

    def test_the_tree_is_made_anew(self):
        before = list(Genre.objects.values_list("name", "lft", "rght", "level"))
        Genre.objects.update(lft=0, rght=0, level=0)
        Genre.objects.rebuild()
        self.assertEqual(list(Genre.objects.values_list("name", "lft", "rght", "level")), before)

    def test_a_branch_is_deleted(self):
        self.get("hard").delete()
        self.assertEqual(names(self.get("rock").get_descendants()), ["blues"])
        self.assertEqual(self.get("rock").rght, 4)

    def test_related_rows_are_counted(self):
        for title, genre in [("Paranoid", "metal"), ("Layla", "blues"), ("Help", "rock")]:
            Record.objects.create(title=title, genre=self.get(genre))
        counted = Genre.objects.add_related_count(
            Genre.objects.root_nodes(), Record, "genre", "records", cumulative=True
        )
        self.assertEqual([(one.name, one.records) for one in counted], [("jazz", 0), ("rock", 3)])

    def test_branches_are_built_at_once(self):
        with Genre.objects.disable_mptt_updates():
            top = Genre.objects.create(name="folk")
            Genre.objects.create(name="polka", parent=top)
        Genre.objects.rebuild()
        self.assertEqual(names(self.get("folk").get_children()), ["polka"])


class TreeAdminTest(AdminCase):
    def test_pages(self):
        planted()
        rock = Genre.objects.get(name="rock")
        self.open(rock)
        for moved, onto in [("metal", "jazz"), ("swing", "rock")]:
            ids = [Genre.objects.get(name=name).pk for name in (moved, onto)]
            data = {"cmd": "move_node", "cut_item": ids[0], "pasted_on": ids[1],
                    "position": "last-child"}  # fmt: skip
            done = self.client.post("/admin/with_mptt/genre/", data,
                                    HTTP_X_REQUESTED_WITH="XMLHttpRequest")  # fmt: skip
            self.assertEqual(done.status_code, 200, done.content)
        self.assertEqual(names(Genre.objects.get(name="jazz").get_children()), ["metal"])
        record = Record.objects.create(title="Help", genre=Genre.objects.get(name="swing"))
        self.open(record)
        within = self.page(Record, "changelist", genre__id__inhierarchy=rock.pk)
        self.assertContains(within, "1 record")
