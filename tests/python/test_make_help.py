# SPDX-License-Identifier: Apache-2.0
"""`make help` names each target that a person calls."""

import pathlib
import re

MAKEFILE = (pathlib.Path(__file__).resolve().parents[2] / "Makefile").read_text()


def test_help_names_each_target_on_a_line_of_its_own() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert targets is not None
    told = re.findall(r'@echo "make ([\w-]+)', MAKEFILE)
    # distclean stands beside clean
    assert set(targets[1].split()) - {"help", "setup", "distclean"} == set(told)
    assert len(told) == len(set(told))
