# SPDX-License-Identifier: Apache-2.0
"""Other libraries' import names for what this one has.

`mongodb.compat.install("mongoengine")`, before the first such import
(at the top of settings.py), makes imports of that name and its modules mean this library's.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["install"]

# a library: the package that stands for it, and modules that are called otherwise here
_LIBRARIES: dict[str, tuple[str, dict[str, str]]] = {
    "django_mongodb_backend": (
        "mongodb.backend",
        {
            "fields.auto": "fields.objectid",
            "fields.embedded_model": "fields.embedded",
            "fields.embedded_model_array": "fields.embedded_array",
            "fields.polymorphic_embedded_model": "fields.polymorphic",
            "fields.polymorphic_embedded_model_array": "fields.polymorphic",
            "forms.fields": "forms",
        },
    ),
    "djongo": ("mongodb.compat.djongo", {"models.fields": "models"}),
    "mongoengine": ("mongodb.compat.mongoengine", {}),
    "rest_framework_mongoengine": ("mongodb.compat.rest_framework_mongoengine", {}),
}


def install(library: str) -> None:
    """Answer imports of a library's name. A second call does nothing; an unknown name is a
    ValueError, and so is one that is imported already from elsewhere."""
    if library not in _LIBRARIES:
        raise ValueError(f"{library!r} is none of {', '.join(sorted(_LIBRARIES))}")
    package, _ = _LIBRARIES[library]
    found = sys.modules.get(library)
    if found is not None and not found.__name__.startswith("mongodb."):
        raise ValueError(f"{library!r} is imported already: call install() before")
    if not any(isinstance(one, _Finder) and one.library == library for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder(library))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules of a library as this one's."""

    def __init__(self, library: str) -> None:
        self.library = library
        self.package, self.renamed = _LIBRARIES[library]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.library and not fullname.startswith(f"{self.library}."):
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.removeprefix(self.library).removeprefix(".")
        name = self.renamed.get(name, name)
        ours = f"{self.package}.{name}" if name else self.package
        try:
            sys.modules[module.__name__] = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name is None or not ours.startswith(error.name):
                raise
            raise ModuleNotFoundError(
                f"{module.__name__} has no counterpart in {self.package}", name=module.__name__
            ) from None
