# SPDX-License-Identifier: Apache-2.0
"""The grammar of tables, indexes and views: what Django's schema editor, and RunSQL, write."""

from __future__ import annotations

from typing import Any

from mongodb.backend.sql import nodes as n
from mongodb.backend.sql.errors import SQLSyntaxError

__all__ = ["VERBS", "definition"]

VERBS = frozenset("CREATE DROP ALTER COMMENT SET".split())
_ENDS_TYPE = frozenset(
    "NOT NULL DEFAULT PRIMARY UNIQUE CHECK REFERENCES GENERATED COLLATE CONSTRAINT USING AS "
    "DEFERRABLE SHAPE".split()
)


def definition(p: Any) -> n.Node:
    """Return the statement that begins at the parser's token, one of VERBS."""
    verb = p.need_word(*VERBS)
    if verb == "SET":
        p.need_word("CONSTRAINTS")
        names = tuple(p.comma(p.name))
        return n.Command(f"CONSTRAINTS {p.need_word('IMMEDIATE', 'DEFERRED')}", names=names)
    if verb == "COMMENT":
        return _comment(p)
    if verb == "ALTER":
        return _alter(p)
    if verb == "DROP":
        return _drop(p)
    return _create(p)


def _create(p: Any) -> n.Node:
    unique = p.word("UNIQUE")
    if unique or p.is_word("INDEX"):
        p.need_word("INDEX")
        return _index(p, unique)
    if p.word("VIEW"):
        name = p.table_name()
        p.need_word("AS")
        return n.CreateView(name, p.select())
    p.word("TEMPORARY", "TEMP")
    p.need_word("TABLE")
    if_not = p.words("IF", "NOT", "EXISTS")
    table = p.table_name()
    p.need_op("(")
    columns: list[n.ColumnDef] = []
    constraints: list[n.Constraint] = []
    for one in p.comma(lambda: _item(p)):
        (columns if isinstance(one, n.ColumnDef) else constraints).append(one)
    p.need_op(")")
    return n.CreateTable(table, tuple(columns), tuple(constraints), if_not)


def _item(p: Any) -> n.Node:
    if p.is_word("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
        return _constraint(p)
    return _column(p, p.name())


def _names(p: Any) -> tuple[str, ...]:
    p.need_op("(")
    out = tuple(p.comma(p.name))
    p.need_op(")")
    return out


def text_of(p: Any, parse: Any) -> tuple[n.Node, str]:
    """Take an expression; return its tree and its text."""
    start = p.token.at
    node = parse()
    text = p.text[start : p.token.at].strip()
    return node, text.replace("%%", "%") if p.has_params else text


def _inside(p: Any) -> tuple[n.Node, str]:
    p.need_op("(")
    made = text_of(p, p.expr)
    p.need_op(")")
    return made


def type_name(p: Any) -> str:
    """Take a column's type."""
    words = []
    while p.token.kind in ("word", "name") and p.token.text.upper() not in _ENDS_TYPE:
        words.append(p.name().lower())
    if p.op("("):
        sizes = p.comma(lambda: p.tokens[p.at_next()].text)
        p.need_op(")")
        words[-1] += f"({','.join(sizes)})"
    while p.token.kind == "word" and p.token.text.upper() not in _ENDS_TYPE:
        words.append(p.name().lower())
    return " ".join(words)


def _column(p: Any, name: str) -> n.ColumnDef:
    found: dict[str, Any] = {"type": type_name(p)}
    constraints: list[n.Constraint] = []
    while True:
        if p.words("NOT", "NULL"):
            found["null"] = False
        elif p.word("NULL"):
            found["null"] = True
        elif p.words("PRIMARY", "KEY"):
            p.word("AUTOINCREMENT")
            found["primary"] = True
        elif p.word("DEFAULT"):
            found["default"] = text_of(p, p.unary)[1]
        elif p.word("COLLATE"):
            raise SQLSyntaxError(
                f"the column {name} asks for a collation: there are none yet, leave db_collation "
                "out", p.text, p.token.at,
            )  # fmt: skip
        elif p.word("SHAPE"):
            found["shape"] = p.primary().value
        elif p.words("GENERATED", "ALWAYS", "AS"):
            found["generated"] = _inside(p)[1]
            p.word("STORED", "VIRTUAL")
        elif p.is_word("CONSTRAINT", "UNIQUE", "CHECK", "REFERENCES"):
            constraints.append(_constraint(p, name))
        else:
            return n.ColumnDef(name, constraints=tuple(constraints), **found)


def _constraint(p: Any, column: str | None = None) -> n.Constraint:
    """Take a constraint; `column`: it stands behind that column."""
    name = p.name() if p.word("CONSTRAINT") else None
    own = () if column is None else (column,)
    if p.word("CHECK"):
        node, text = _inside(p)
        return n.Constraint("check", name, _columns(node) or own, text)
    if p.words("PRIMARY", "KEY"):
        return n.Constraint("primary", name, _names(p))
    if p.word("UNIQUE"):
        distinct = not p.words("NULLS", "NOT", "DISTINCT")
        if distinct:
            p.words("NULLS", "DISTINCT")
        columns = own if column is not None else _names(p)
        deferred = _deferred(p)
        return n.Constraint("unique", name, columns, deferred=deferred, nulls_distinct=distinct)
    if column is None:
        p.need_word("FOREIGN")
        p.need_word("KEY")
        own = _names(p)
    p.need_word("REFERENCES")
    table = p.table_name()
    to = _names(p) if p.is_op("(") else ()
    while p.word("ON"):
        p.need_word("DELETE", "UPDATE")
        p.need_word("CASCADE", "RESTRICT", "SET", "NO")
        p.word("NULL", "DEFAULT", "ACTION")
    return n.Constraint("foreign", name, own, table=table, to=to, deferred=_deferred(p))


def _deferred(p: Any) -> bool | None:
    """Whether a constraint is deferred at first; None when it cannot be."""
    if not p.word("DEFERRABLE"):
        return None
    return bool(p.word("INITIALLY")) and p.need_word("DEFERRED", "IMMEDIATE") == "DEFERRED"


def _columns(node: n.Node) -> tuple[str, ...]:
    from mongodb.backend.plan.walk import columns

    return tuple(dict.fromkeys(one.name for one in columns(node)))


def _index(p: Any, unique: bool) -> n.CreateIndex:
    p.words("IF", "NOT", "EXISTS")
    name = p.name()
    p.need_word("ON")
    table = p.table_name()
    if p.word("SPEC"):
        return n.CreateIndex(name, table, unique, (), spec=p.primary().value)
    p.need_op("(")
    keys = tuple(p.comma(lambda: _key(p)))
    p.need_op(")")
    include = _names(p) if p.word("INCLUDE") else ()
    distinct = not p.words("NULLS", "NOT", "DISTINCT")
    if distinct:
        p.words("NULLS", "DISTINCT")
    where = text_of(p, p.expr)[1] if p.word("WHERE") else None
    return n.CreateIndex(name, table, unique, keys, where, include, distinct)


def _key(p: Any) -> tuple[n.Node, str, bool]:
    node, text = text_of(p, p.expr)
    descending = p.word("DESC")
    if not descending:
        p.word("ASC")
    return node, text, descending


def _drop(p: Any) -> n.Node:
    what = p.need_word("TABLE", "INDEX", "VIEW")
    exists = p.words("IF", "EXISTS")
    name = p.table_name()
    table = p.table_name() if what == "INDEX" and p.word("ON") else None
    p.word("CASCADE", "RESTRICT")
    return n.Drop(what.lower(), name, exists, table)


def _comment(p: Any) -> n.Comment:
    p.need_word("ON")
    what = p.need_word("TABLE", "COLUMN")
    table = p.name()
    column = None
    if what == "COLUMN":
        p.need_op(".")
        column = p.name()
    p.need_word("IS")
    node = p.expr()
    return n.Comment(table, column, node.value or None)


def _alter(p: Any) -> n.Node:
    p.need_word("TABLE")
    table = p.table_name()
    return n.AlterTable(table, tuple(p.comma(lambda: _change(p))))


def _change(p: Any) -> tuple[Any, ...]:
    if p.words("RENAME", "INDEX"):
        old = p.name()
        p.need_word("TO")
        return "rename index", old, p.name()
    if p.word("RENAME"):
        if p.word("TO"):
            return "rename table", p.table_name()
        p.word("COLUMN")
        old = p.name()
        p.need_word("TO")
        return "rename column", old, p.name()
    if p.word("ADD"):
        if p.is_word("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
            return "add constraint", _constraint(p)
        p.word("COLUMN")
        return "add column", _column(p, p.name())
    if p.word("DROP"):
        what = "drop constraint" if p.word("CONSTRAINT") else "drop column"
        p.word("COLUMN")
        exists = p.words("IF", "EXISTS")
        name = p.name()
        p.word("CASCADE", "RESTRICT")
        return what, name, exists
    p.need_word("ALTER")
    p.word("COLUMN")
    column = p.name()
    if p.words("SET", "NOT", "NULL"):
        return "null", column, False
    if p.words("DROP", "NOT", "NULL"):
        return "null", column, True
    if p.words("DROP", "DEFAULT"):
        return "default", column, None
    if p.words("SET", "DEFAULT"):
        return "default", column, text_of(p, p.unary)[1]
    p.words("SET", "DATA")
    p.need_word("TYPE")
    new = type_name(p)
    if p.is_word("COLLATE"):
        raise SQLSyntaxError(
            f"the column {column} asks for a collation: there are none yet", p.text, p.token.at
        )
    return "type", column, new, p.primary().value if p.word("SHAPE") else None
