# SPDX-License-Identifier: Apache-2.0
"""manage.py documents: indexes, schema, check, dump, load and shell for Document classes."""

from __future__ import annotations

import json
import pathlib
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.core.management.commands import shell

from mongodb import _registry
from mongodb._json_schema import apply_validator, declared_validator, same_validator
from mongodb.connection import DEFAULT_CONNECTION_NAME, get_connection_handle
from mongodb.errors import MongoError, ValidationError
from mongodb.management import files
from mongodb.management.indexes import Place, compare, places

__all__ = ["Command"]


class Command(BaseCommand):
    """Each `do_…` is a subcommand; it returns how the process ends."""

    help = "Indexes, validation, dumps and a shell of MongoDB documents."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the subcommands."""
        actions = parser.add_subparsers(dest="action", required=True)
        names: dict[str, Any] = {
            "nargs": "*",
            "metavar": "Class",
            "help": "classes; all of them without",
        }
        indexes = actions.add_parser("indexes", help="compare declared indexes with the stored")
        indexes.add_argument("classes", **names)
        indexes.add_argument("--create", action="store_true", help="make those that are missing")
        indexes.add_argument(
            "--drop-extra", action="store_true",
            help="drop those that no class declares, and make those anew that differ",
        )  # fmt: skip
        indexes.add_argument(
            "--check", action="store_true", help="fail when they differ, for a deployment's checks"
        )
        schema = actions.add_parser("schema", help="compare validators with the stored")
        schema.add_argument("classes", **names)
        schema.add_argument("--apply", action="store_true", help="give collections their validator")
        schema.add_argument("--check", action="store_true", help="fail when they differ")
        check = actions.add_parser("check", help="validate stored documents")
        check.add_argument("classes", **names)
        check.add_argument("--limit", type=int, default=20, help="errors shown of a class (20)")
        dump = actions.add_parser("dump", help="write collections as mongodump does")
        dump.add_argument("folder", type=pathlib.Path)
        dump.add_argument("classes", **names)
        load = actions.add_parser("load", help="read what dump or mongodump wrote")
        load.add_argument("folder", type=pathlib.Path)
        load.add_argument("--alias", default=DEFAULT_CONNECTION_NAME, help="the connection")
        load.add_argument(
            "--replace", action="store_true", help="documents that are there become the file's"
        )
        interactive = actions.add_parser("shell", help="Django's shell, with the classes imported")
        interactive.add_argument("-c", "--command", help="run this and end")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run one subcommand."""
        try:
            getattr(self, f"do_{action}")(**options)
        except (MongoError, OSError) as error:
            raise CommandError(str(error)) from error

    def _places(self, names: list[str]) -> list[Place]:
        every = [cls for cls in _registry.collection_classes() if not cls._abstract]
        unknown = sorted(set(names) - {cls.__name__ for cls in every})
        if unknown:
            known = ", ".join(sorted(cls.__name__ for cls in every)) or "none"
            raise CommandError(f"no Document class {unknown[0]!r} is known; known are: {known}")
        found = places(every)
        if not names:
            return found
        return [one for one in found if any(cls.__name__ in names for cls in one.classes)]

    # indexes

    def do_indexes(
        self, classes: list[str], create: bool, drop_extra: bool, check: bool, **rest: Any
    ) -> None:
        """Show, make and drop indexes."""
        differs = failed = 0
        for place in self._places(classes):
            found = compare(place)
            title = ", ".join(cls.__name__ for cls in place.classes)
            self.stdout.write(f"{place.alias}: {place.collection} ({title})")
            for spec in found.there:
                self.stdout.write(f"  = {_shown(spec)}")
            for spec in found.pending:
                self.stdout.write(f"  ~ {_shown(spec)}: waits for a MongoDB server")
            for declared, stored in found.different:
                text = f"declared {_shown(declared)}, stored {_shown(stored)}"
                failed += self._act(f"  ! {text}", drop_extra, place, stored, declared)
            for _, spec in found.missing:
                failed += self._act(f"  + {_shown(spec)}: missing", create, place, None, spec)
            for spec in found.extra:
                failed += self._act(
                    f"  - {_shown(spec)}: not declared", drop_extra, place, spec, None
                )
            differs += not found.same
        if failed:
            raise CommandError(f"{failed} indexes could not be changed")
        if check and differs:
            raise CommandError(f"{differs} collections have other indexes than their classes say")

    def _act(self, text: str, wanted: bool, place: Place, drop: Any, create: Any) -> int:
        """Write a line; drop one index and create another if it is wanted. Return 1 if it fails."""
        if not wanted:
            self.stdout.write(text)
            return 0
        handle = get_connection_handle(place.alias)
        try:
            if drop is not None:
                handle.run({"dropIndexes": place.collection, "index": drop["name"]})
            if create is not None:
                handle.create_indexes(place.collection, [create])
        except MongoError as error:
            self.stderr.write(f"{text}: {error}")
            return 1
        self.stdout.write(f"{text}, {'dropped' if create is None else 'made'}")
        return 0

    # schema

    def do_schema(self, classes: list[str], apply: bool, check: bool, **rest: Any) -> None:
        """Show and apply the validators of classes with meta["json_schema"]."""
        differs = 0
        for place in self._places(classes):
            cls = next((one for one in place.classes if one._meta.get("json_schema")), None)
            wanted = None if cls is None else declared_validator(cls)
            if cls is None or wanted is None:
                continue
            handle = get_connection_handle(place.alias)
            options = handle.collection_options(place.collection)
            same = same_validator(wanted, options)
            mark = "=" if same else "+" if not (options or {}).get("validator") else "!"
            if apply and not same:
                apply_validator(cls, handle)
            done = ", applied" if apply and not same else ""
            self.stdout.write(f"{mark} {place.alias}: {place.collection} ({cls.__name__}){done}")
            self.stdout.write(json.dumps(wanted["validator"]["$jsonSchema"], indent=2, default=str))
            differs += not (same or apply)
        if check and differs:
            raise CommandError(f"{differs} collections lack the validator that a class declares")

    # check

    def do_check(self, classes: list[str], limit: int, **rest: Any) -> None:
        """Validate each document as save() would."""
        wrong = 0
        for place in self._places(classes):
            top = [cls for cls in place.classes if not set(cls.__mro__[1:]) & set(place.classes)]
            for cls in top:
                bad = number = 0
                for document in cls.objects.no_cache():
                    number += 1
                    try:
                        document.validate()
                    except ValidationError as error:
                        bad += 1
                        if bad <= limit:
                            self.stdout.write(f"{cls.__name__} {document.pk!r}: {error}")
                self.stdout.write(f"{cls.__name__}: {number} documents, {bad} with errors")
                wrong += bad
        if wrong:
            raise CommandError(f"{wrong} documents do not fit their classes")

    # dump and load

    def do_dump(self, folder: pathlib.Path, classes: list[str], **rest: Any) -> None:
        """Write collections to a folder, with the files and counters of their documents."""
        chosen = self._places(classes)
        others = {
            (one.alias, one.collection): one for place in chosen for one in files.beside(place)
        }
        for place in [*chosen, *others.values()]:
            file, number = files.dump(place, folder)
            self.stdout.write(f"{file}: {number} documents")

    def do_load(self, folder: pathlib.Path, alias: str, replace: bool, **rest: Any) -> None:
        """Read a folder's collections."""
        found = files.stored_in(folder, get_connection_handle(alias).name)
        if not found:
            raise CommandError(f"{folder} has no .bson files, nor has the database's folder in it")
        for file in found:
            new, there = files.load(alias, file, replace)
            was = "replaced" if replace else "there already"
            self.stdout.write(f"{file}: {new} documents new, {there} {was}")

    # shell

    def do_shell(self, command: str | None, **rest: Any) -> None:
        """Start Django's shell, knowing the documents."""
        known = {cls.__name__: cls for cls in _registry.collection_classes() if not cls._abstract}

        class Shell(shell.Command):
            def get_namespace(self, **options: Any) -> dict[str, Any]:
                """Return what the shell knows: Django's own, and the documents."""
                return {**super().get_namespace(**options), **known}

        if not hasattr(shell.Command, "get_namespace"):
            raise CommandError("documents shell needs Django 5.2; before it, use manage.py shell")
        call_command(Shell(), command=command)


def _shown(spec: dict[str, Any]) -> str:
    options = [
        name if value is True else f"{name}: {value}"
        for name, value in spec.items()
        if name not in ("v", "key", "name", "ns", "background") and value is not False
    ]
    keys = ", ".join(f"{path}: {kind}" for path, kind in spec["key"].items())
    return f"{spec['name']} {{{keys}}}" + (f" ({', '.join(options)})" if options else "")
