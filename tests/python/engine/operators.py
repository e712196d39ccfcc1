# SPDX-License-Identifier: Apache-2.0
"""The operators of the language, read from the tables in its source, with large inputs for each."""

import pathlib
import re
from datetime import UTC, datetime
from typing import Any

import bson

from mongodb import _core

LANG = pathlib.Path(__file__).resolve().parents[3] / "src" / "lang"
Spec = dict[str, Any]


def names(folder: str, table: str) -> list[str]:
    """The operators' names in every table whose declaration matches `table`."""
    found: dict[str, None] = {}
    for path in sorted((LANG / folder).glob("*.c")):
        for rows in re.findall(table + r"\[\] = \{(.*?)\n?\};", path.read_text(), re.DOTALL):
            found.update(dict.fromkeys(re.findall(r'"(\$\w+)"', rows)))
    assert found, (folder, table)
    return list(found)


EXPRESSIONS = names("expr", r"const ds__expr_op ds__expr_ops_\w+")
ACCUMULATORS = names("pipeline", r"const ds__accumulator_def ds__accumulators_\w+")
WINDOWS = names("pipeline", r"\} functions")
STAGES = names("pipeline", r"const ds__stage_def ds__stage_defs")
UPDATES = names("update", r"const ds__update_op ds__update_ops_\w+")
FILTERS = names("filter", r"ds__filter_(?:top|field)_op \w+")

# Known to the parser and refused, or nothing that works on documents.
REFUSED = {"$function", "$_internalJsEmit", "$meta", "$where", "$text", "$near", "$nearSphere"}
REFUSED |= {"$geoNear", "$geoWithin", "$within", "$geoIntersects", "$changeStream", "$currentOp"}
REFUSED |= {"$listSessions", "$listLocalSessions", "$planCacheStats"}


def document(size: int) -> Spec:
    """A document with a value of every kind, each of about `size` parts."""
    return {
        "n": 7,
        "f": 0.5,
        "b": True,
        "s": "ab c" * size,
        "d": datetime(2024, 2, 29, 12, tzinfo=UTC),
        "ds": "2024-02-29T12:00:00Z",
        "t": bson.Timestamp(1700000000, 1),
        "id": "65b0c0ffee65b0c0ffee65b0",
        "a": list(range(size, 0, -1)),
        "o": {f"k{i}": i for i in range(size)},
        "ao": [{"k": f"k{i}", "v": i} for i in range(size)],
        "aa": [[i, i + 1] for i in range(size)],
        "ab": [True] * size,
        "af": [False] * size,
    }


# Arguments tried in turn until one is accepted: most operators need no more.
ARGUMENTS: list[Any] = [
    "$n", "$f", ["$n", "$n"], "$s", ["$s", "$s"], "$d", "$a", ["$a", "$a"], "$o", "$t",
    ["$b"], ["$o", "$o"], ["$n", "$a"], ["$s", "$s", "$s"],
]  # fmt: skip

# Those that need more, or that the first argument accepted keeps less busy than they can be.
SHAPES: dict[str, Any] = {
    "$sum": "$a",
    "$avg": "$a",
    "$min": "$a",
    "$max": "$a",
    "$stdDevPop": "$a",
    "$stdDevSamp": "$a",
    "$arrayElemAt": ["$a", -1],
    "$first": "$a",
    "$last": "$a",
    "$concatArrays": ["$a", "$a", "$ao"],
    "$indexOfArray": ["$a", -1],
    "$range": [0, {"$add": ["$n", 3000]}],
    "$reverseArray": "$a",
    "$size": "$ao",
    "$slice": ["$a", 1, 1000000],
    "$in": [-1, "$a"],
    "$firstN": {"n": 1000000, "input": "$a"},
    "$lastN": {"n": 1000000, "input": "$a"},
    "$minN": {"n": 1000000, "input": "$a"},
    "$maxN": {"n": 1000000, "input": "$a"},
    "$cmp": ["$ao", "$ao"],
    "$eq": ["$ao", "$ao"],
    "$ne": ["$ao", "$ao"],
    "$gt": ["$ao", "$ao"],
    "$gte": ["$ao", "$ao"],
    "$lt": ["$ao", "$ao"],
    "$lte": ["$ao", "$ao"],
    "$cond": ["$b", "$n", "$s"],
    "$switch": {"branches": [{"case": {"$not": "$b"}, "then": 1}], "default": "$n"},
    "$convert": {"input": "$n", "to": "string"},
    "$toObjectId": "$id",
    "$toDate": "$ds",
    "$dateAdd": {"startDate": "$d", "unit": "month", "amount": "$n"},
    "$dateSubtract": {"startDate": "$d", "unit": "month", "amount": "$n"},
    "$dateDiff": {"startDate": "$d", "endDate": {"$add": ["$d", "$n"]}, "unit": "week"},
    "$dateTrunc": {"date": "$d", "unit": "month"},
    "$dateFromParts": {"year": {"$add": ["$n", 2000]}, "month": "$n"},
    "$dateToParts": {"date": "$d"},
    "$dateToString": {"date": "$d", "format": "%Y-%m-%d" * 100},
    "$dateFromString": {"dateString": "$ds"},
    "$map": {"input": "$a", "in": {"$add": ["$$this", "$n"]}},
    "$filter": {"input": "$a", "cond": {"$gt": ["$$this", "$n"]}},
    "$reduce": {"input": "$a", "initialValue": 0, "in": {"$add": ["$$this", "$$value"]}},
    "$zip": {"inputs": ["$a", "$ao", "$a"]},
    "$rand": {},
    "$binarySize": "$s",
    "$mergeObjects": ["$o", "$o"],
    "$objectToArray": "$o",
    "$arrayToObject": "$ao",
    "$getField": {"field": "k999999", "input": "$o"},
    "$setField": {"field": "k999999", "input": "$o", "value": 1},
    "$unsetField": {"field": "k999999", "input": "$o"},
    "$regexMatch": {"input": "$s", "regex": "(a|b)+d"},
    "$regexFind": {"input": "$s", "regex": "(a|b)+d"},
    "$regexFindAll": {"input": "$s", "regex": "[abc]"},
    "$setIsSubset": ["$a", "$a"],
    "$allElementsTrue": "$ab",
    "$anyElementTrue": "$af",
    "$sortArray": {"input": "$ao", "sortBy": {"v": 1}},
    "$substrBytes": ["$s", 0, -1],
    "$substr": ["$s", 0, -1],
    "$substrCP": ["$s", 0, 2000000000],
    "$indexOfBytes": ["$s", "ab d"],
    "$indexOfCP": ["$s", "ab d"],
    "$split": ["$s", "c"],
    "$trim": {"input": "$s", "chars": "abc "},
    "$ltrim": {"input": "$s", "chars": "abc "},
    "$rtrim": {"input": "$s", "chars": "abc "},
    "$replaceOne": {"input": "$s", "find": "ab d", "replacement": "x"},
    "$replaceAll": {"input": "$s", "find": "a", "replacement": "xy"},
    "$let": {"vars": {"x": "$a"}, "in": {"$size": "$$x"}},
}

ACCUMULATED: dict[str, Any] = {
    "$count": {},
    "$mergeObjects": "$o",
    "$firstN": {"n": 10000, "input": "$s"},
    "$lastN": {"n": 10000, "input": "$s"},
    "$minN": {"n": 10000, "input": "$s"},
    "$maxN": {"n": 10000, "input": "$s"},
    "$top": {"output": "$s", "sortBy": {"n": 1}},
    "$topN": {"n": 10000, "output": "$s", "sortBy": {"n": 1}},
    "$bottom": {"output": "$s", "sortBy": {"n": 1}},
    "$bottomN": {"n": 10000, "output": "$s", "sortBy": {"n": 1}},
    "$push": "$s",
    "$addToSet": {"$concat": ["$s", {"$toString": "$r"}]},
}
WINDOWED: dict[str, Any] = {
    "$rank": {},
    "$denseRank": {},
    "$documentNumber": {},
    "$shift": {"output": "$n", "by": 1},
    "$expMovingAvg": {"input": "$r", "N": 5},
    "$derivative": {"input": "$r"},
    "$integral": {"input": "$r"},
    "$covariancePop": ["$r", "$n"],
    "$covarianceSamp": ["$r", "$n"],
    "$locf": "$n",
    "$linearFill": "$r",
}


class Store:
    """A store in memory and its raw commands."""

    def __init__(self) -> None:
        self.client = _core.Client("docstore://:memory:")

    def run(self, **command: Any) -> Spec:
        return bson.decode(self.client.run_raw("t", command, check=False))

    def project(self, expression: Any, coll: str = "one", **options: Any) -> Spec:
        """Evaluate an expression on each document; of what it gives only the type is told."""
        stages = [{"$project": {"_id": 0, "x": {"$type": expression}}}]
        return self.run(aggregate=coll, pipeline=stages, cursor={}, **options)

    def expression(self, name: str) -> Any:
        """A use of the operator that works on `document`."""
        if name in SHAPES:
            return {name: SHAPES[name]}
        reply: Spec = {}
        for argument in ARGUMENTS:
            reply = self.project({name: argument}, "few")
            if reply["ok"]:
                return {name: argument}
        raise AssertionError(f"no argument tried suits {name}: add one to SHAPES ({reply})")

    def fill(self, coll: str, documents: list[Spec]) -> None:
        reply = self.run(insert=coll, documents=documents)
        assert reply.get("n") == len(documents), reply
