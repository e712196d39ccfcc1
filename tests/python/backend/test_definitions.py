# SPDX-License-Identifier: Apache-2.0
"""Tables, constraints and indexes as SQL's text defines them, on each store."""

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import mongodb
from mongodb.backend import dbapi
from mongodb.connection import disconnect, get_connection_handle


@pytest.fixture(params=["memory", "mongod"])
def cursor(request: pytest.FixtureRequest) -> Iterator[Any]:
    where = request.param
    host = "docstore://:memory:" if where == "memory" else request.getfixturevalue("mongod")
    mongodb.connect("definitions", alias="definitions", host=host)
    connection = dbapi.connect(get_connection_handle("definitions"))
    connection.run({"dropDatabase": 1})
    connection.tables.forget()
    with connection.cursor() as made:
        yield made
    connection.close()
    disconnect("definitions")


@pytest.fixture
def keys(cursor: Any) -> Any:
    """A cursor of a connection that checks foreign keys, a server's too."""
    cursor.connection.foreign_keys = True
    return cursor


def rows(cursor: Any, sql: str, *params: Any) -> Any:
    return cursor.execute(sql, params).fetchall()


def test_a_check_is_kept_and_named(cursor: Any) -> None:
    cursor.execute('CREATE TABLE t (id integer PRIMARY KEY, a integer NULL, b integer NULL, '
                   'CONSTRAINT "a_lt_b" CHECK ("a" < "b"))')  # fmt: skip
    cursor.execute("INSERT INTO t (id, a, b) VALUES (1, 1, 2), (2, NULL, 1)")
    with pytest.raises(dbapi.IntegrityError, match="a_lt_b"):
        cursor.execute("INSERT INTO t (id, a, b) VALUES (3, 5, 2)")
    with pytest.raises(dbapi.IntegrityError, match="a_lt_b"):
        cursor.execute("UPDATE t SET a = 9 WHERE id = 1")
    cursor.execute('ALTER TABLE t DROP CONSTRAINT "a_lt_b"')
    cursor.execute("UPDATE t SET a = 9 WHERE id = 1")
    with pytest.raises(dbapi.IntegrityError, match="a_lt_b"):
        cursor.execute('ALTER TABLE t ADD CONSTRAINT "a_lt_b" CHECK ("a" < "b")')


def test_defaults_are_the_stores(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer auto NOT NULL PRIMARY KEY, "
                   "a varchar(9) DEFAULT 'x' NOT NULL, "
                   "b integer DEFAULT (1 + 2) NULL)")  # fmt: skip
    cursor.execute("INSERT INTO t (b) VALUES (7)")
    cursor.execute("INSERT INTO t (a) VALUES ('y')")
    cursor.execute("ALTER TABLE t ADD COLUMN c integer DEFAULT 5 NOT NULL")
    assert rows(cursor, "SELECT a, b, c FROM t ORDER BY id") == [("x", 7, 5), ("y", 3, 5)]


def test_generated_columns_follow_every_write(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NULL, "
                   "b integer GENERATED ALWAYS AS (a * 2) STORED)")  # fmt: skip
    cursor.execute("INSERT INTO t (id, a) VALUES (1, 2), (2, NULL)")
    assert rows(cursor, "SELECT b FROM t ORDER BY id") == [(4,), (None,)]
    cursor.execute("UPDATE t SET a = %s WHERE id = %s", [5, 1])
    cursor.execute("UPDATE t SET a = a + 1 WHERE id = 1")
    assert rows(cursor, "SELECT a, b FROM t WHERE b = 12") == [(6, 12)]
    with pytest.raises(dbapi.ProgrammingError, match="changes by itself"):
        cursor.execute("ALTER TABLE t ADD COLUMN c real GENERATED ALWAYS AS (RANDOM()) STORED")


def test_a_unique_index_over_an_expression(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a varchar(9) NULL, on_ bool NOT NULL)")
    cursor.execute('CREATE UNIQUE INDEX i ON t (LOWER("a")) WHERE "on_" <> FALSE')
    cursor.execute("INSERT INTO t VALUES (1, 'A', TRUE), (2, 'a', FALSE), (3, NULL, TRUE), "
                   "(4, NULL, TRUE)")  # fmt: skip
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (5, 'a', TRUE)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("UPDATE t SET on_ = TRUE WHERE id = 2")
    cursor.execute("DROP INDEX i ON t")
    cursor.execute("INSERT INTO t VALUES (5, 'a', TRUE)")
    document = next(cursor.connection.documents({"find": "t"}))
    assert set(document) == {"_id", "a", "on_"} or document.get("__keys") == {}


def test_nulls_not_distinct(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NULL)")
    cursor.execute("ALTER TABLE t ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a)")
    cursor.execute("INSERT INTO t VALUES (1, NULL)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (2, NULL)")


def test_two_indexes_over_the_same_columns(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL)")
    cursor.execute("CREATE INDEX plain ON t (a)")
    cursor.execute("ALTER TABLE t ADD CONSTRAINT one UNIQUE (a)")
    cursor.execute("ALTER TABLE t ADD CONSTRAINT two UNIQUE (a)")
    cursor.execute("INSERT INTO t VALUES (1, 1)")
    cursor.execute("ALTER TABLE t DROP CONSTRAINT one")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (2, 1)")
    cursor.execute("ALTER TABLE t DROP CONSTRAINT two")
    cursor.execute("INSERT INTO t VALUES (2, 1)")
    cursor.execute("DROP INDEX plain")
    with pytest.raises(dbapi.OperationalError, match="no such index"):
        cursor.execute("DROP INDEX plain")


def test_columns_change(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a varchar(9) NOT NULL UNIQUE)")
    cursor.execute("INSERT INTO t VALUES (1, '12'), (2, '13')")
    cursor.execute('ALTER TABLE t RENAME COLUMN "a" TO "b"')
    cursor.execute('ALTER TABLE t ALTER COLUMN "b" TYPE integer')
    assert rows(cursor, "SELECT b FROM t WHERE b = 12") == [(12,)]
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (3, 12)")
    cursor.execute('ALTER TABLE t ALTER COLUMN "b" DROP NOT NULL')
    cursor.execute("INSERT INTO t VALUES (3, NULL), (4, NULL)")
    with pytest.raises(dbapi.IntegrityError, match="NOT NULL"):
        cursor.execute('ALTER TABLE t ALTER COLUMN "b" SET NOT NULL')
    cursor.execute('ALTER TABLE t DROP COLUMN "b" CASCADE')
    with pytest.raises(dbapi.OperationalError, match="no such column"):
        cursor.execute("SELECT b FROM t")


def test_the_primary_key_moves(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL)")
    cursor.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    cursor.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")
    cursor.execute("ALTER TABLE t ADD CONSTRAINT t_pkey PRIMARY KEY (a)")
    assert rows(cursor, "SELECT id, a FROM t ORDER BY a") == [(1, 10), (2, 20)]
    assert {d["_id"] for d in cursor.connection.documents({"find": "t"})} == {10, 20}


def test_a_view_reads_its_query(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL)")
    cursor.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
    cursor.execute("CREATE VIEW v AS SELECT id, a AS b FROM t WHERE a > 10")
    assert rows(cursor, "SELECT id, b FROM v") == [(2, 20)]
    cursor.execute("DROP VIEW v")


def test_what_is_not_there_is_said(cursor: Any) -> None:
    with pytest.raises(dbapi.OperationalError, match="no such table: nowhere"):
        cursor.execute("SELECT a FROM nowhere")
    with pytest.raises(dbapi.ProgrammingError, match="no such table"):
        cursor.execute("DROP TABLE nowhere")
    cursor.execute("DROP TABLE IF EXISTS nowhere")
    with pytest.raises(dbapi.ProgrammingError, match="collation"):
        cursor.execute("CREATE TABLE t (a text COLLATE nocase)")


def test_collations_of_queries_are_refused(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (a text)")
    cursor.execute("INSERT INTO t (a) VALUES ('b'), ('A'), ('a')")
    plain = "SELECT a FROM t ORDER BY a COLLATE binary"
    assert cursor.execute(plain).fetchall() == [("A",), ("a",), ("b",)]
    for sql in ("SELECT a FROM t ORDER BY a COLLATE nocase", "SELECT a COLLATE \"de\" FROM t",
                "SELECT a FROM t WHERE a COLLATE nocase = 'a'"):  # fmt: skip
        with pytest.raises(dbapi.NotSupportedError, match="COLLATE (nocase|de): there are no coll"):
            cursor.execute(sql)
    with pytest.raises(dbapi.ProgrammingError, match="1 parameters, the call gives 2"):
        cursor.execute("SELECT %s", [1, 2])


def families(cursor: Any) -> None:
    cursor.execute("CREATE TABLE parent (id integer PRIMARY KEY)")
    cursor.execute("CREATE TABLE child (id integer PRIMARY KEY, parent_id integer NULL, "
                   "CONSTRAINT fk FOREIGN KEY (parent_id) REFERENCES parent (id) "
                   "DEFERRABLE INITIALLY DEFERRED)")  # fmt: skip
    cursor.execute("INSERT INTO parent VALUES (1), (2)")
    cursor.execute("INSERT INTO child VALUES (1, 1), (2, NULL)")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO child VALUES (3, 9)",
        "UPDATE child SET parent_id = 9 WHERE id = 1",
        "UPDATE child SET parent_id = id + 8 WHERE id = 1",
        "DELETE FROM parent WHERE id = 1",
        "DELETE FROM parent",
    ],
)
def test_a_foreign_key_holds_after_each_statement(keys: Any, statement: str) -> None:
    families(keys)
    with pytest.raises(dbapi.IntegrityError, match="FOREIGN KEY constraint failed: fk"):
        keys.execute(statement)
    assert rows(keys, "SELECT id, parent_id FROM child ORDER BY id") == [(1, 1), (2, None)]
    assert rows(keys, "SELECT id FROM parent ORDER BY id") == [(1,), (2,)]


def test_a_foreign_key_waits_for_the_commit(keys: Any) -> None:
    families(keys)
    connection = keys.connection
    connection.set_autocommit(False)
    keys.execute("INSERT INTO child VALUES (3, 9)")
    keys.execute("DELETE FROM parent WHERE id = 1")
    keys.execute("INSERT INTO parent VALUES (9)")
    keys.execute("UPDATE child SET parent_id = 2 WHERE id = 1")
    connection.commit()
    keys.execute("SAVEPOINT s")
    keys.execute("INSERT INTO child VALUES (4, 77)")
    keys.execute("ROLLBACK TO SAVEPOINT s")
    keys.execute("INSERT INTO child VALUES (4, 9)")
    connection.commit()
    keys.execute("DELETE FROM parent WHERE id = 9")
    with pytest.raises(dbapi.IntegrityError, match="fk"):
        connection.commit()
    connection.set_autocommit(True)
    assert rows(keys, "SELECT id FROM parent ORDER BY id") == [(2,), (9,)]


def test_dropping_the_parent_drops_the_key(keys: Any) -> None:
    families(keys)
    keys.execute("DROP TABLE parent CASCADE")
    keys.execute("INSERT INTO child VALUES (3, 9)")


def test_hashes_of_columns(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a text NULL)")
    cursor.execute("INSERT INTO t VALUES (1, 'John'), (2, NULL), (3, 'Rose')")
    john = "61409aa1fd47d4a5332de23cbf59a36f"
    assert rows(cursor, "SELECT MD5(a), id FROM t WHERE id < 3 ORDER BY id") == [
        (john, 1),
        (None, 2),
    ]
    assert rows(cursor, "SELECT id FROM t WHERE MD5(a) = %s", john) == [(1,)]
    assert rows(cursor, "SELECT id FROM t WHERE NOT (MD5(a) = %s)", john) == [(3,)]
    assert len(rows(cursor, "SELECT SHA512(a) FROM t WHERE id = 1")[0][0]) == 128
    with pytest.raises(dbapi.OperationalError, match="MongoDB has no MD5"):
        cursor.execute("SELECT id FROM t ORDER BY MD5(a)")


def test_characters_and_their_codes(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a text NULL, c integer NULL)")
    cursor.execute("INSERT INTO t VALUES (1, 'Élena', 233), (2, NULL, NULL), (3, '', 65)")
    found = rows(cursor, "SELECT ASCII(a), CHR(c) FROM t ORDER BY id")
    assert found == [(201, "é"), (None, None), (0, "A")]
    assert rows(cursor, "SELECT id FROM t WHERE a = CHR(%s) || 'lena'", 201) == [(1,)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("LOG(CAST('12.9' AS decimal), CAST('3.6' AS decimal)) < 0.51", True),
        ("JSON_GET(JSON_ARRAY(1, NULL, 'x'), 2)", "x"),
        ("CAST(TIMESTAMP('2020-01-02 03:04:05.678') AS text)", "2020-01-02 03:04:05.678"),
        ("CAST(TIMESTAMP('2020-01-02 03:04:05') AS text)", "2020-01-02 03:04:05"),
        ("CAST('7:05:01' AS time) = TIME('07:05:01')", True),
        ("RIGHT('abc', NULL)", None),
        ("RIGHT('abc', 0)", ""),
    ],
)
def test_functions(cursor: Any, expression: str, expected: Any) -> None:
    assert rows(cursor, f"SELECT {expression}") == [(expected,)]


def test_a_part_of_a_date_cannot_break_out(cursor: Any) -> None:
    with pytest.raises(dbapi.OperationalError, match="no such part of a date"):
        cursor.execute("SELECT DATETIME_TRUNC('year'', 1)) OR 1=1;--', CURRENT_TIMESTAMP)")


def test_rows_hold_pythons_values(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, p decimal(5, 2), d date, c time)")
    cursor.execute("INSERT INTO t VALUES (1, %s, %s, %s)",
                   [Decimal("1.50"), datetime.date(2020, 1, 2), datetime.time(3, 4)])  # fmt: skip
    assert rows(cursor, "SELECT p, d, c, p * 2, MAX(d) FROM t GROUP BY p, d, c")[0][:4] == (
        Decimal("1.50"), datetime.date(2020, 1, 2), datetime.time(3, 4), Decimal("3.00"),
    )  # fmt: skip


def test_many_rows_come_as_they_are_asked_for(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    for at in range(0, 5000, 1000):
        values = ", ".join(f"({n})" for n in range(at, at + 1000))
        cursor.execute(f"INSERT INTO t VALUES {values}")
    cursor.execute("SELECT id FROM t ORDER BY id")
    assert cursor.fetchmany(3) == [(0,), (1,), (2,)]
    with cursor.connection.cursor() as other:
        other.execute("DELETE FROM t WHERE id < 100")
    assert [row for (row,) in cursor] == list(range(3, 5000))
    cursor.execute("SELECT id FROM t ORDER BY id")
    cursor.close()
    with pytest.raises(dbapi.InterfaceError):
        cursor.execute("SELECT 1")


def test_queries_with_names(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer)")
    cursor.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
    sql = ("WITH big (n, twice) AS (SELECT id, a * 2 FROM t WHERE a > %s), "
           "one AS (SELECT n FROM big WHERE twice > 40) "
           "SELECT big.twice FROM big INNER JOIN one ON big.n = one.n")  # fmt: skip
    assert rows(cursor, sql, 10) == [(60,)]
    with pytest.raises(dbapi.ProgrammingError, match="WITH RECURSIVE"):
        cursor.execute("WITH RECURSIVE r AS (SELECT 1) SELECT 1")


@pytest.mark.parametrize("exclusion", ["CURRENT ROW", "GROUP", "TIES"])
def test_frames_without_some_rows(cursor: Any, exclusion: str) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, k integer, v integer)")
    cursor.execute("INSERT INTO t VALUES (1, 1, 1), (2, 2, 5), (3, 2, 5), (4, 3, 2)")
    sql = ("SELECT id, SUM(v) OVER (ORDER BY k RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED "
           f"FOLLOWING EXCLUDE {exclusion}) FROM t ORDER BY id")  # fmt: skip
    whole = 13
    values = {1: 1, 2: 5, 3: 5, 4: 2}
    peers = {1: [1], 2: [2, 3], 3: [2, 3], 4: [4]}
    reckoned = []
    for one, value in values.items():
        gone = {"CURRENT ROW": value, "GROUP": sum(values[p] for p in peers[one]),
                "TIES": sum(values[p] for p in peers[one] if p != one)}[exclusion]  # fmt: skip
        reckoned.append((one, whole - gone))
    assert rows(cursor, sql) == reckoned


def test_named_parameters(cursor: Any) -> None:
    assert cursor.execute("SELECT %(b)s, %(a)s, %(b)s", {"a": 1, "b": "x"}).fetchone() == (
        "x", 1, "x",
    )  # fmt: skip
    with pytest.raises(dbapi.ProgrammingError, match="'c'"):
        cursor.execute("SELECT %(c)s", {"a": 1})


def test_covering_indexes(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NOT NULL, b integer NULL)")
    cursor.execute("CREATE INDEX i ON t (a) INCLUDE (b)")
    cursor.execute("CREATE UNIQUE INDEX u ON t (a) INCLUDE (b)")
    keys = {one["name"]: dict(one["key"])
            for one in cursor.connection.documents({"listIndexes": "t"})}  # fmt: skip
    assert keys["i"] == {"a": 1, "b": 1}
    assert keys["u"] == {"a": 1}
    cursor.execute("INSERT INTO t VALUES (1, 1, 1)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute("INSERT INTO t VALUES (2, 1, 2)")
    cursor.execute("DROP INDEX u ON t")


def test_lengths_are_held_when_that_is_asked_for(cursor: Any) -> None:
    cursor.execute("CREATE TABLE free (id integer PRIMARY KEY, a varchar(3) NOT NULL)")
    cursor.execute("INSERT INTO free VALUES (1, 'longer')")
    cursor.connection.lengths = True
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a varchar(3) NOT NULL, CHECK (id > 0))")
    cursor.execute("INSERT INTO t VALUES (1, 'abc')")
    with pytest.raises(dbapi.DataError, match="value too long for a"):
        cursor.execute("INSERT INTO t VALUES (2, 'abcd')")
    cursor.execute('ALTER TABLE t ALTER COLUMN "a" TYPE varchar(4)')
    cursor.execute("INSERT INTO t VALUES (2, 'abcd')")


def test_rows_of_equal_order_are_in_one_anothers_frames(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, k integer, v integer)")
    cursor.execute("INSERT INTO t VALUES (1, 1, 1), (2, 2, 5), (3, 2, 5), (4, 3, 2)")
    over = "OVER (ORDER BY k)"
    sql = f"SELECT id, SUM(v) {over}, CUME_DIST() {over} FROM t ORDER BY id"
    assert rows(cursor, sql) == [(1, 1, 0.25), (2, 11, 0.75), (3, 11, 0.75), (4, 13, 1.0)]


def test_a_refused_definition_leaves_nothing(cursor: Any) -> None:
    cursor.execute("CREATE TABLE t (id integer PRIMARY KEY, a integer NULL)")
    cursor.execute("INSERT INTO t VALUES (1, -1)")
    with pytest.raises(dbapi.IntegrityError):
        cursor.execute('ALTER TABLE t ADD CONSTRAINT c CHECK ("a" > 0)')
    with pytest.raises(dbapi.OperationalError, match="no such index or constraint"):
        cursor.execute("ALTER TABLE t DROP CONSTRAINT c")
    connection = cursor.connection
    if not connection.handle.embedded:
        return  # a server's transactions hold no definitions
    version = connection.tables.version
    connection.set_autocommit(False)
    cursor.execute("INSERT INTO t VALUES (2, 2)")
    connection.rollback()
    assert connection.tables.version == version, "plans are kept when rows alone are undone"
    cursor.execute("CREATE TABLE u (id integer PRIMARY KEY)")
    connection.rollback()
    connection.set_autocommit(True)
    with pytest.raises(dbapi.OperationalError, match="no such table: u"):
        cursor.execute("SELECT id FROM u")
