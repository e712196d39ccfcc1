# SPDX-License-Identifier: Apache-2.0
"""`pytest -p mongodb.compat.pytest_plugin --mongodb-compat mongoengine`, or the setting
`mongodb_compat = mongoengine`: imports of that library mean this one, in conftest.py too."""

from __future__ import annotations

from typing import Any

import pytest

from mongodb.compat import install

__all__ = ["pytest_addoption", "pytest_load_initial_conftests"]


def pytest_addoption(parser: Any) -> None:
    """Declare the option and the setting."""
    told = "a library whose imports mean mongodb's, such as mongoengine"
    parser.addoption("--mongodb-compat", action="append", default=[], metavar="LIBRARY", help=told)
    parser.addini("mongodb_compat", told, type="args", default=[])


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: Any) -> None:
    """Install before any conftest.py is imported."""
    named = early_config.known_args_namespace.mongodb_compat
    for library in [*early_config.getini("mongodb_compat"), *named]:
        try:
            install(library)
        except ValueError as error:
            raise pytest.UsageError(f"mongodb_compat: {error}") from error
