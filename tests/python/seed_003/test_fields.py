# SPDX-License-Identifier: Apache-2.0
"""Each code block of the seed, under its heading."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError


def test_array_field_of_array_fields(seed: Any) -> None:
    board = seed.define("ArrayField")["ChessBoard"]
    rows = [["r", "n", "b", "q", "k", "b", "n", "r"], *[[""] * 8 for _ in range(7)]]
    made = board.objects.create(board=rows)
    made.refresh_from_db()
    assert made.board == rows
    made.full_clean()
    made.board[3][1] = "a long name"
    with pytest.raises(ValidationError, match="Item 4 in the array .* Item 2 in the array"):
        made.full_clean()
    made.board[3] = [""] * 9
    with pytest.raises(ValidationError, match="9 items, it should contain 8|the same length"):
        made.full_clean()


def test_querying_array_field(seed: Any) -> None:
    post = seed.define("Querying ``ArrayField")["Post"]
    assert str(post.objects.create(name="First post", tags=[])) == "First post"
    with pytest.raises(ValidationError) as refused:
        post(name="A name", tags=["x" * 201]).full_clean()
    assert list(refused.value.error_dict) == ["tags"]


@pytest.mark.parametrize(
    "heading",
    ["contains", "contained_by", "overlap", "len", "Index transforms", "Slice transforms"],
)
def test_lookup(seed: Any, heading: str) -> None:
    seed.define("Querying ``ArrayField")
    seed.talk(heading)


def test_nested_embedded_models(seed: Any) -> None:
    names = seed.define("EmbeddedModelField")
    book = names["Book"].objects.create(author=names["Author"](address=names["Address"]()))
    book.refresh_from_db()
    assert isinstance(book.author.address, names["Address"])


def test_every_block_is_run(seed: Any) -> None:
    assert {heading: len(blocks) for heading, blocks in seed.blocks.items()} == {
        "ArrayField": 1, "Querying ``ArrayField": 1, "contains": 1, "contained_by": 1,
        "overlap": 1, "len": 1, "Index transforms": 1, "Slice transforms": 1,
        "EmbeddedModelField": 1,
    }  # fmt: skip
