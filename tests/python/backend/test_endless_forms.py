# SPDX-License-Identifier: Apache-2.0
"""Embedded models that embed themselves: stored, read, and edited in forms."""

from collections.abc import Callable
from typing import Any

from django.db import models
from django.forms import modelform_factory

from mongodb.backend.fields import EmbeddedModelArrayField, EmbeddedModelField
from mongodb.backend.models import EmbeddedModel


def test_a_model_that_embeds_itself(orm: Callable[..., None]) -> None:
    class Branch(EmbeddedModel):
        name = models.CharField(max_length=10)
        first = EmbeddedModelField("Branch", null=True, blank=True)
        rest = EmbeddedModelArrayField("Branch", null=True, blank=True)

        class Meta:
            app_label = "mongodb"

    class Tree(models.Model):
        trunk = EmbeddedModelField(Branch)

        class Meta:
            app_label = "mongodb"

    orm(Tree)
    deep = Branch(name="a", first=Branch(name="b", first=Branch(name="c")), rest=[Branch(name="d")])
    tree = Tree.objects.create(trunk=deep)
    assert Tree.objects.get() == tree
    trunk = Tree.objects.get(trunk__first__first__name="c").trunk
    assert trunk == deep

    make: Any = modelform_factory(Tree, fields="__all__")
    text = str(make(instance=tree))
    assert 'name="trunk-name"' in text and "&quot;name&quot;: &quot;d&quot;" in text
    assert 'name="trunk-first"' in text and 'name="trunk-first-name"' not in text

    sent = {"trunk-name": "a", "trunk-first": '{"name": "x", "rest": [{"name": "y"}]}'}
    form = make({**sent, "trunk-rest": '[{"name": "z", "first": null}]'}, instance=tree)
    assert form.is_valid(), form.errors
    form.save()
    trunk = Tree.objects.get().trunk
    assert trunk.first == Branch(name="x", rest=[Branch(name="y")])
    assert trunk.rest == [Branch(name="z")]

    for wrong in ("{", "5", '{"nom": "x"}', '{"name": "far too long a name"}', "{}"):
        form = make({**sent, "trunk-first": wrong}, instance=tree)
        assert not form.is_valid(), wrong
        assert "errorlist" in str(form)
