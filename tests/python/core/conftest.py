# SPDX-License-Identifier: Apache-2.0
"""The docstore program, for the tests that start it."""

import os
import pathlib
import sys
import sysconfig

import pytest

from mongodb import _core


@pytest.fixture(scope="session")
def docstore() -> str:
    """The docstore program beside the package: installed, or in the build folder."""
    places = [pathlib.Path(sysconfig.get_path("scripts")), pathlib.Path(sys.executable).parent]
    places += pathlib.Path(os.path.realpath(_core.__file__)).parents[1:3]
    for place in places:
        if (place / "docstore").is_file():
            return str(place / "docstore")
    pytest.skip("the docstore program is not installed")
