# SPDX-License-Identifier: Apache-2.0
"""Write the table of docs/compatibility.md from a result of diff_ops: table.py OUT.json PAGE."""

import json
import pathlib
import re
import sys

CLASSES = {
    "not-implemented": "refused as not implemented",
    "error-code": "another error code",
    "unexpected-error": "an error where there is none",
    "missing-error": "no error where there is one",
    "type-or-order": "a number's type or the order of fields",
    "value": "another result",
}


def rows(result: dict) -> list[str]:
    lines = ["| category | cases | the same | what differs |", "|---|---:|---:|---|"]
    for name, found in sorted(result["categories"].items()):
        by_class = sorted(found["classes"].items(), key=lambda pair: -pair[1])
        differs = "; ".join(f"{count} {CLASSES.get(kind, kind)}" for kind, count in by_class)
        lines.append(f"| {name} | {found['cases']:,} | {found['passed']:,} | {differs} |")
    total = result["total"]
    share = total["passed"] / total["cases"]
    lines.append(f"| **all** | **{total['cases']:,}** | **{total['passed']:,}** | {share:.1%} |")
    app = [found for name, found in result["categories"].items() if name.startswith("app.")]
    cases, passed = sum(one["cases"] for one in app), sum(one["passed"] for one in app)
    lines.append(
        f"| **app, everyday operations** | **{cases:,}** | **{passed:,}** | {passed / cases:.1%} |"
    )
    return lines


def main() -> None:
    result = json.loads(pathlib.Path(sys.argv[1]).read_text())
    page = pathlib.Path(sys.argv[2])
    table = "<!-- table begins -->\n" + "\n".join(rows(result)) + "\n<!-- table ends -->"
    text = re.sub(
        r"(?s)<!-- table begins -->.*<!-- table ends -->", lambda _: table, page.read_text()
    )
    page.write_text(text)


if __name__ == "__main__":
    main()
