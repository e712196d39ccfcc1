# SPDX-License-Identifier: Apache-2.0
"""Arguments of commands: each field with each kind of value, and a field nobody knows, answered as
a mongod 6.0.5 answered (tests/arguments)."""

import pathlib
import sys
from typing import Any

import pytest

ARGUMENTS = pathlib.Path(__file__).resolve().parents[2] / "arguments"
sys.path.insert(0, str(ARGUMENTS))
import cases  # noqa: E402
import record  # noqa: E402

sys.path.remove(str(ARGUMENTS))

RECORDED = record.load(ARGUMENTS / "answers.json")
# What is refused here and stands in docs/limitations.md
NOT_IMPLEMENTED = 238
# Where this engine answers otherwise: (command, field): its codes
OTHERWISE: dict[tuple[str, str], set[int]] = {
    ("getMore", "getMore"): {14},  # null
    ("getMore", "collection"): {43},  # ""
    ("getMore", "lastKnownCommittedOpTime"): {40415},
    ("create", "collation"): {2},  # {}
    ("create.view", "validator"): {72},  # an empty one, too, is refused for a view
    ("collMod", "timeseries"): {72},
    # mongod names no code, or takes what is no number
    ("dbStats", "scale"): {0, 14, 51024},
    ("convertToCapped", "size"): {14, 72},
    # times after which to read are passed over: a read sees all that was acknowledged
    ("ping", "readConcern"): {0},
    ("aggregate", "writeConcern"): {4},
    ("abortTransaction", "readConcern"): {72},
    ("abortTransaction", "recoveryToken"): {125},
    ("commitTransaction", "recoveryToken"): {125},
    ("commitTransaction", "commitTimestamp"): {40414, 40415},
    # what drivers add to a handshake is not looked into
    ("hello", "speculativeAuthenticate"): {0},
    ("hello", "compression"): {0},
    ("hello", "client"): {0},
    ("hello", "internalClient"): {0},
    ("planCacheClear", "projection"): {0},  # no part of a shape here
    ("currentOp", "$truncateOps"): {2},
    ("getParameter", "getParameter"): {0},
    ("replSetGetStatus", "initialSync"): {0},
    ("rolesInfo", "rolesInfo"): {0, 2},
    ("usersInfo", "usersInfo"): {0, 2},
    ("index._id", "storageEngine"): {67, 2, 72},
}
# Everything is asked of one store; of a file, and of mongod so that the record stays true, a part
SLOW = ("create", "collMod", "createIndexes", "drop", "rename", "convert", "index", "insert")


def share(store_uri: str, name: str) -> int:
    if store_uri.endswith(":memory:"):
        return 1
    return 20 if name.startswith(SLOW) else 4


def differences(run: Any, name: str, every: int = 1) -> list[str]:
    found = []
    for label, code in cases.answers(run, [name], every)[name].items():
        field, _, value = label.partition(": ")
        recorded = RECORDED[name][field]
        if code != recorded.get(value, recorded["*"]):
            found.append(f"{label}: {code}, recorded {recorded.get(value, recorded['*'])}")
    return found


@pytest.mark.parametrize("name", list(RECORDED))
def test_fields_are_answered_as_recorded(raw: Any, store_uri: str, name: str) -> None:
    found = differences(raw, name, share(store_uri, name))
    if store_uri.startswith("mongodb"):
        assert found == []
        return
    unexpected = []
    for line in found:
        field = line.split(": ")[0]
        code = int(line.rsplit(": ", 1)[1].split(",")[0])
        if code != NOT_IMPLEMENTED and code not in OTHERWISE.get((name, field), ()):
            unexpected.append(line)
    assert unexpected == []


def test_no_difference_is_excused_that_is_none(raw: Any, store_uri: str) -> None:
    if not store_uri.endswith(":memory:"):
        pytest.skip("asked of one store")
    names = {name for name, _ in OTHERWISE if not name.startswith("index")}
    fields = {(name, line.split(": ")[0]) for name in names for line in differences(raw, name)}
    fields.add(("index._id", "storageEngine"))
    assert set(OTHERWISE) <= fields


def test_every_command_is_asked() -> None:
    import bson

    from mongodb import _core

    client = _core.Client("docstore://:memory:")
    listed = bson.decode(client.run_raw("admin", {"listCommands": 1}))["commands"]
    client.close()
    others_tests = {"compact", "killOp", "killAllSessionsByPattern"}
    no_commands_of_mongod = {"savepoint", "releaseSavepoint", "rollbackToSavepoint"}
    assert set(listed) - others_tests - no_commands_of_mongod <= set(RECORDED)
