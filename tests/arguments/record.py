# SPDX-License-Identifier: Apache-2.0
"""Write down what a mongod answers to the cases: python tests/arguments/record.py HOST:PORT

The mongod must be a replica set of one that nobody else uses meanwhile."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cases
import wire


def main() -> None:
    host, port = sys.argv[1].split(":")
    found = cases.answers(wire.Wire(host, int(port)).run)
    path = pathlib.Path(__file__).with_name("answers.json")
    path.write_text(dump(found))
    print(sum(map(len, found.values())), "answers")


def dump(found: dict[str, dict[str, int]]) -> str:
    """A line per field: the code of most of its values, and the values that get another."""
    lines = []
    for name, answers in found.items():
        by_field: dict[str, dict[str, int]] = {}
        for label, code in answers.items():
            field, _, value = label.partition(": ")
            by_field.setdefault(field, {})[value] = code
        rows = []
        for field, codes in by_field.items():
            common = max(set(codes.values()), key=list(codes.values()).count)
            others: dict[str, list[str]] = {}
            for value, code in codes.items():
                if code != common:
                    others.setdefault(str(code), []).append(value)
            rows.append(f"  {json.dumps(field)}: {json.dumps([common, others])}")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def load(path: pathlib.Path) -> dict[str, dict[str, dict[str, int]]]:
    """Per command and field: the codes of single values, and under "*" that of the others."""
    read = json.loads(path.read_text())
    return {
        name: {
            field: {"*": common}
            | {value: int(code) for code, values in others.items() for value in values}
            for field, (common, others) in fields.items()
        }
        for name, fields in read.items()
    }


if __name__ == "__main__":
    main()
