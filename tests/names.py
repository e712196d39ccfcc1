# SPDX-License-Identifier: Apache-2.0
"""Looks up MongoEngine's and Django REST Framework MongoEngine's names in `mongodb.compat`.

`tests/names.tsv` lists them: modules' names, classes' methods and attributes, fields' parameters.
`python tests/names.py docs/compatibility.md` writes the count into the page.
"""

import csv
import importlib
import inspect
import pathlib
import re
import sys
from collections import Counter
from typing import Any

TABLE = pathlib.Path(__file__).with_name("names.tsv")
BEGIN, END = "<!-- names begin -->", "<!-- names end -->"
# What is not there, and why.
ABSENT = {
    ("field_attr", "CachedReferenceField", "on_document_pre_save"): "copies are kept by saving",
    ("field_attr", "CachedReferenceField", "start_listener"): "copies are kept by saving",
    ("document_method", "EmbeddedDocument", "get_text_score"): "no search finds one",
    ("document_method", "DynamicEmbeddedDocument", "get_text_score"): "no search finds one",
}
GROUPS = {
    "names of MongoEngine's modules": "connection_function context_manager delete_rule document "
    "error export field query_object signal",
    "methods and attributes": "datastructure_method document_method field_attr gridfs_method "
    "queryset_method",
    "fields' parameters": "field_param",
    "names of Django REST Framework MongoEngine's modules": "drf_fields drf_generics drf_patching "
    "drf_repr drf_routers drf_serializers drf_utils drf_validators drf_viewsets",
}


def rows() -> list[tuple[str, str, str]]:
    with TABLE.open() as table:
        return [(r["kind"], r["owner"], r["name"]) for r in csv.DictReader(table, delimiter="\t")]


def module(name: str) -> Any:
    return importlib.import_module(f"mongodb.compat.{name}")


def parameters(cls: Any) -> set[str]:
    """The constructor's parameters, those of the classes above by **kwargs too."""
    found: set[str] = set()
    for base in cls.__mro__:
        init = base.__dict__.get("__init__")
        if init is None or base is object:
            continue
        own = list(inspect.signature(init).parameters.values())[1:]
        found |= {one.name for one in own if one.kind is not one.VAR_POSITIONAL}
        if not any(one.kind is one.VAR_KEYWORD for one in own):
            break
    return found


def holder(kind: str, owner: str) -> Any:
    """The module or class that has the name."""
    if "." in owner or owner == "mongoengine":
        return module(owner)
    places = {
        "gridfs_method": ["fields"],
        "queryset_method": ["queryset"],
        "datastructure_method": ["base.datastructures"],
    }.get(kind, ["", "base"])
    for place in places:
        found = getattr(module(f"mongoengine.{place}".rstrip(".")), owner, None)
        if found is not None:
            return found
    raise AttributeError(owner)


def is_there(kind: str, owner: str, name: str) -> bool:
    try:
        found = holder(kind, owner)
    except (AttributeError, ImportError):
        return False
    return name in parameters(found) if kind == "field_param" else hasattr(found, name)


def missing() -> list[tuple[str, str, str]]:
    return [row for row in rows() if not is_there(*row)]


def report() -> str:
    """The count as a table."""
    absent = Counter(kind for kind, *_ in missing())
    listed = Counter(kind for kind, *_ in rows())
    lines = ["| what | names | here |", "|---|---:|---:|"]
    for title, kinds in GROUPS.items():
        many = sum(listed[kind] for kind in kinds.split())
        lines.append(f"| {title} | {many} | {many - sum(absent[k] for k in kinds.split())} |")
    every = sum(listed.values())
    lines.append(f"| all | {every} | {every - sum(absent.values())} |")
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with the count in it."""
    return re.sub(f"(?s){BEGIN}.*?{END}", f"{BEGIN}\n{report()}\n{END}", page)


if __name__ == "__main__":
    import django
    from django.conf import settings

    settings.configure(INSTALLED_APPS=["rest_framework", "mongodb"], SECRET_KEY="x")
    django.setup()
    path = pathlib.Path(sys.argv[1])
    path.write_text(written(path.read_text()))
