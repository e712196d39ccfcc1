# SPDX-License-Identifier: Apache-2.0
from django.test import TestCase
from pages import AdminCase
from taggit.models import Tag

from with_taggit.models import Food


def names(rows):
    return sorted(str(row) for row in rows)


class TagsTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        for name, tags in [("apple", "red green"), ("pear", "green"), ("plum", "blue sweet")]:
            cls.last = Food.objects.create(name=name)
            cls.last.tags.add(*tags.split())

    def test_tags_of_a_row_and_rows_of_a_tag(self):
        self.assertEqual(names(self.last.tags.all()), ["blue", "sweet"])
        self.assertEqual(names(Food.objects.filter(tags__name="green")), ["apple", "pear"])
        some = Food.objects.filter(tags__name__in=["green", "red"]).distinct()
        self.assertEqual(names(some), ["apple", "pear"])
        self.assertEqual(names(Food.objects.exclude(tags__name="green")), ["plum"])
        both = Food.objects.filter(tags__name="green").filter(tags__slug="red")
        self.assertEqual(names(both), ["apple"])

    def test_tags_are_set_removed_and_cleared(self):
        self.last.tags.set(["green", "round"])
        self.assertEqual(names(self.last.tags.names()), ["green", "round"])
        self.last.tags.remove("green")
        self.assertEqual(names(self.last.tags.slugs()), ["round"])
        self.last.tags.clear()
        self.assertFalse(self.last.tags.exists())
        self.assertEqual(Tag.objects.count(), 5)

    def test_what_is_similar_and_what_is_most_common(self):
        apple = Food.objects.get(name="apple")
        similar = apple.tags.similar_objects()
        self.assertEqual([(one.name, one.similar_tags) for one in similar], [("pear", 1)])
        top = Food.tags.most_common()[0]
        self.assertEqual((top.name, top.num_times), ("green", 2))

    def test_prefetch(self):
        with self.assertNumQueries(2):
            found = {
                one.name: names(one.tags.all()) for one in Food.objects.prefetch_related("tags")
            }
        self.assertEqual(found["apple"], ["green", "red"])

    def test_tags_are_merged(self):
        green, red = Tag.objects.get(name="green"), Tag.objects.get(name="red")
        self.assertEqual(Tag.objects.filter(name__icontains="E").count(), 4)
        green.delete()
        red.delete()
        self.assertEqual(names(Food.objects.filter(tags__isnull=True)), ["apple", "pear"])


class TaggedAdminTest(AdminCase):
    def test_pages(self):
        self.send("/admin/with_taggit/food/add/", name="fig", tags="brown, sweet")
        fig = Food.objects.get(tags__name="brown")
        self.open(fig)
        self.assertContains(self.page(Food, "changelist", q="sweet"), "1 food")
        green = Tag.objects.get(name="sweet")
        found = self.page(Food, "changelist", tags__id__exact=green.pk)
        self.assertContains(found, "1 food")
        self.assertContains(self.page(Tag, "changelist"), "2 tags")
        self.assertContains(self.page(Tag, "change", green.pk), "fig")
