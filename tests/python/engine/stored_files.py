# SPDX-License-Identifier: Apache-2.0
"""Files that older programs made, kept in stored/, and what they answered."""

import importlib.util
import lzma
import pathlib

from bson import decode, encode

from mongodb import _core

STORED = pathlib.Path(__file__).parent / "stored"
NAMES = sorted(path.name.removesuffix(".docstore.xz") for path in STORED.glob("*.docstore.xz"))

spec = importlib.util.spec_from_file_location("stored_make", STORED / "make.py")
assert spec and spec.loader
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


def unpack(name: str, folder: pathlib.Path) -> pathlib.Path:
    path = folder / f"{name}.docstore"
    path.write_bytes(lzma.decompress((STORED / f"{name}.docstore.xz").read_bytes()))
    return path


def compare(client: _core.Client, name: str) -> None:
    kept = decode(lzma.decompress((STORED / f"{name}.answers.xz").read_bytes()))["answers"]
    found = decode(make.answers(client))["answers"]
    assert len(found) == len(kept) == len(make.QUESTIONS)
    for question, answer, wanted in zip(make.QUESTIONS, found, kept, strict=True):
        assert encode({"": answer}) == encode({"": wanted}), question
