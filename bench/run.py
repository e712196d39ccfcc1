# SPDX-License-Identifier: Apache-2.0
"""Run the benchmarks, each contender in turn, and print the table of docs/benchmarks.md.

    python bench/run.py [read get insert drf scan plan catalog orm documents official memory
        writers] [--rounds N] [--write]

--write replaces the table in docs/benchmarks.md.
"""

import argparse
import importlib
import os
import pathlib
import platform
import sqlite3
import sys
import tempfile
from typing import Any

import django
from django.conf import settings

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"
NAMES = ["read", "get", "insert", "drf", "scan", "plan", "catalog", "orm",
         "documents", "official", "memory", "writers"]  # fmt: skip


def configure() -> None:
    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="urls",
        INSTALLED_APPS=["rest_framework", "orm"],
        USE_TZ=True,
        TIME_ZONE="UTC",
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "UNAUTHENTICATED_USER": None,
        },
    )
    django.setup()


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| work | ours | peer | ratio | to reach | |", "|---|---:|---:|---:|---:|---|"]
    for row in rows:
        met = "met" if row["ratio"] >= row["target"] else "**short**"
        lines.append(
            f"| {row['work']} | {row['ours']} | {row['peer']} | {row['ratio']:.1f} × "
            f"| {row['target']:g} × | {met} |"
        )
    return "\n".join(lines)


def versions(uri: str, rounds: int) -> str:
    """What was measured with, in one sentence."""
    import mongoengine
    import pymongo
    import rest_framework

    server = pymongo.MongoClient(uri).server_info()["version"]
    return (
        f"Measured on {os.cpu_count()} cores that other work shared, {platform.system()} "
        f"{platform.machine()}, with Python {platform.python_version()}, mongod {server}, "
        f"PyMongo {pymongo.version}, MongoEngine {mongoengine.__version__}, "
        f"Django {django.get_version()}, DRF {rest_framework.VERSION}, "
        f"SQLite {sqlite3.sqlite_version}; {rounds} rounds, the best of each contender."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    configure()
    import support

    uri = support.start_mongod()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=support.ram_disk()) as folder:
        for name in options.names or NAMES:
            module = importlib.import_module(name)
            print(f"-- {name}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
            for row in module.rows(uri, folder, options.rounds):
                print(
                    f"   {row['work']}: {row['ours']} against {row['peer']}, {row['ratio']:.1f} ×"
                )
                rows.append(row)
    text = table(rows)
    print("\n" + text)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        after = rest.split(END)[1]
        note = versions(uri, options.rounds)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n\n{note}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
