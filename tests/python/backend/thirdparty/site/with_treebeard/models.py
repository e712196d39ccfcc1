# SPDX-License-Identifier: Apache-2.0
from django.db import models
from treebeard.al_tree import AL_Node
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node


class Page(MP_Node):
    title = models.CharField(max_length=30)
    node_order_by = ["title"]

    def __str__(self) -> str:
        return self.title


class Section(NS_Node):
    title = models.CharField(max_length=30)
    node_order_by = ["title"]


class Task(AL_Node):
    title = models.CharField(max_length=30)
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="below")
    sib_order = models.PositiveIntegerField()
