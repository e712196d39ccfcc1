"""The house of docs/architecture.md: a room includes only what stands above it in the table."""

import collections
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(r'^#include "([^"]+)"', re.MULTILINE)
PLACES = ("include", "src", "python/_core")


def rooms() -> list[str]:
    """Return the rooms of C code in their order: folders, and single files that stand apart."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page.split("| room | what it is |")[1].split("\n\n")[0]
    names = []
    for row in table.splitlines():
        cell = row.split("|")[1] if row.startswith("|") else ""
        names += [name for name in re.findall(r"`([^`]+)`", cell) if name.startswith(PLACES)]
    return names


def room_of(path: str, order: list[str]) -> str:
    """Return the room a file is in: the row that says most of its path."""
    fitting = [room for room in order if path == room or path.startswith(room)]
    assert fitting, f"{path} is in no room of docs/architecture.md"
    return max(fitting, key=len)


def sources() -> list[pathlib.Path]:
    """Return every C file of the product."""
    found = [p for place in PLACES for p in sorted((ROOT / place).rglob("*.[ch]"))]
    assert len(found) > 300
    return found


def included(path: pathlib.Path) -> list[str]:
    """Return the project's files that a file includes, from the project's root."""
    names = []
    for name in INCLUDE.findall(path.read_text()):
        tried = [ROOT / "src" / name, ROOT / "include" / name, path.parent / name]
        there = [p for p in tried if p.exists()]
        assert there, f"{path.relative_to(ROOT)} includes {name}, which is not there"
        names.append(there[0].resolve().relative_to(ROOT).as_posix())
    return names


def wrong_way(order: list[str]) -> list[str]:
    """Return the includes that go up the house."""
    place = {room: i for i, room in enumerate(order)}
    wrong = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        own = room_of(name, order)
        for other in included(path):
            room = room_of(other, order)
            if place[room] > place[own]:
                wrong.append(f"{name} ({own}) includes {other} ({room})")
    return wrong


def test_a_room_includes_only_what_stands_above_it() -> None:
    assert wrong_way(rooms()) == []


def test_the_extension_uses_the_inside_through_one_header() -> None:
    inside = {
        other
        for path in sorted((ROOT / "python" / "_core").glob("*.[ch]"))
        for other in included(path)
        if other.startswith("src/")
    }
    assert inside == {"src/extension.h"}


def test_no_file_of_the_extension_needs_its_module() -> None:
    """`module.c` puts the others together: what it shares is only how the interpreter starts it."""
    text = (ROOT / "python" / "_core" / "module.c").read_text()
    shared = re.findall(r"^(?!static|PyMODINIT_FUNC PyInit__core)\w[\w *]*\([^;]*\) {", text, re.M)
    assert shared == []


def test_documents_and_keys_are_written_in_one_place() -> None:
    """Rows and keys change under the one function of `records/` that tells the observers."""
    writers = re.compile(r"\bds__(?:row_(?:insert|replace|delete)|keys_(?:insert|delete))\(")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if path.suffix == ".c" and writers.search(path.read_text())
    }
    assert found == {
        "src/engine/store/rows.c",
        "src/engine/records/records.c",
        "src/engine/records/keys.c",
        "src/engine/records/build.c",
    }


COMMANDS = ROOT / "src" / "engine" / "commands"
DEFINED = re.compile(r"^(?!static)[\w][\w \*]*?\b(ds__\w+)\([^;{]*\)\s*\{", re.MULTILINE)
# Lists of what runs now, and what a statement has to undo, stand beside the commands that ask them.
LENT = {"ds__current_ops", "ds__write_command"}
LENT |= {"ds__savepoints_clear", "ds__statement_begin", "ds__statement_end"}


def command_calls(sources: dict[str, str]) -> set[str]:
    """Return which file calls a function of a command's file, beside the table of commands."""
    home = {name: file for file, text in sources.items() for name in DEFINED.findall(text)}
    commands = {file for name, file in home.items() if name.startswith("ds__cmd_")}
    return {
        f"{file} calls {name} of {home[name]}"
        for file, text in sources.items()
        for name in set(re.findall(r"\bds__\w+(?=\()", text)) & home.keys() - LENT
        if file not in (home[name], "table.c") and home[name] in commands
    }


def test_no_command_calls_another() -> None:
    """What they share is in files that are no command's: query.c, pipeline.c, view.c, host.c, …"""
    sources = {path.name: path.read_text() for path in COMMANDS.glob("*.c")}
    assert len(sources) > 40
    assert command_calls(sources) == set()
    sources["find.c"] += "bool ds__f(void) {\n    return ds__cmd_count(NULL, NULL, NULL);\n}\n"
    assert command_calls(sources) == {"find.c calls ds__cmd_count of count.c"}


def test_calls_that_only_linux_has_are_in_base() -> None:
    calls = "strerrordesc_np|strerrorname_np|sigdescr_np|sigabbrev_np|strerror_r|qsort_r|strchrnul"
    calls += "|memrchr|mempcpy|eventfd|timerfd_create|signalfd|epoll_create1?|inotify_init1?"
    calls += "|accept4|pipe2|dup3|mkostemps?|renameat2|copy_file_range|sendfile|splice|fallocate"
    calls += "|sync_file_range|mremap|memfd_create|getrandom|gettid|syscall|prctl|sysinfo|ppoll"
    calls += "|sched_getaffinity|sched_setaffinity|sched_getcpu|sigtimedwait|secure_getenv"
    calls += "|malloc_trim|mallopt|malloc_usable_size|pthread_(?:timed|try)join_np"
    calls += "|pthread_mutex_timedlock|pthread_cond_clockwait"
    names = "SOCK_CLOEXEC|SOCK_NONBLOCK|MSG_NOSIGNAL|MSG_MORE|POLLRDHUP|O_TMPFILE|O_PATH|SYS_\\w+"
    names += "|MAP_POPULATE|F_OFD_\\w+|CLOCK_\\w+_COARSE|__linux__"
    call = re.compile(rf"\b(?:{calls})\(|\b(?:{names})\b|\"/proc/|<(?:linux/|sys/sysinfo)")
    found = {
        path.relative_to(ROOT).as_posix() for path in sources() if call.search(path.read_text())
    }
    found -= {"src/base/system_portable.c"}  # what the C library may have beside POSIX
    assert found == {"src/base/system_linux.c", "src/base/system.h"}
    setclock = {p.name for p in sources() if "pthread_condattr_setclock" in p.read_text()}
    assert setclock == {"cond.c"}  # with its twin


def test_every_room_of_the_table_is_there() -> None:
    assert [room for room in rooms() if not (ROOT / room).exists()] == []


def test_the_check_sees_an_include_that_goes_up() -> None:
    order = rooms()
    store = order.index("src/engine/store/")
    catalog = order.index("src/engine/catalog/")
    order[store], order[catalog] = order[catalog], order[store]
    assert any("src/engine/catalog/" in line for line in wrong_way(order))


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("sqlite3.h", {"src/engine/store/"}),
        ("engine/store/internal.h", {"src/engine/store/", "src/engine/catalog/"}),
        ("engine/catalog/change.h", {"src/engine/catalog/", "src/engine/records/"}),
        ("engine/records/internal.h", {"src/engine/records/"}),
        ("Python.h", {"python/_core/"}),
    ],
)
def test_what_a_room_keeps_to_itself(header: str, allowed: set[str]) -> None:
    """SQLite, the catalog's changes, and what the records hold are nobody else's."""
    found = collections.defaultdict(list)
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        if re.search(rf'^#include [<"]{re.escape(header)}[>"]', path.read_text(), re.MULTILINE):
            found[room_of(name, rooms())].append(name)
    assert found
    assert {room: names for room, names in found.items() if room not in allowed} == {}


UNCOMMENTED = re.compile(r"/\*.*?\*/|'(?:\\.|[^'\\])'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
GLOBAL = re.compile(
    r"^(?!static|extern|typedef|#)\w[\w \*]*?\b(ds__\w+)\([^;{]*\)\s*\{", re.MULTILINE
)


def used_at_home_only(texts: dict[str, str]) -> set[str]:
    """Return the functions that other files can call and none does: static, or dead."""
    words = {
        name: collections.Counter(re.findall(r"\bds__\w+", UNCOMMENTED.sub("", text)))
        for name, text in texts.items()
    }
    files = collections.defaultdict(set)
    headers: collections.Counter[str] = collections.Counter()
    for name, counts in words.items():
        for word in counts:
            files[word].add(name)
        if name.endswith(".h"):
            headers.update(counts)
    return {
        f"{name}: {function}"
        for name, text in texts.items()
        if name.endswith(".c")
        for function in GLOBAL.findall(text)
        if headers[function] < 2  # declared there, and called by an inline function or a macro
        and not any(other.endswith((".c", ".def")) for other in files[function] - {name})
    }


def test_a_function_that_others_may_call_is_called_by_others() -> None:
    tests = sorted((ROOT / "tests" / "c").rglob("*.[ch]"))
    texts = {path.as_posix(): path.read_text() for path in [*sources(), *tests]}
    assert used_at_home_only(texts) == set()
    texts["here.c"] = "bool ds__nobody_calls_this(int a) {\n    return a;\n}\n"
    assert used_at_home_only(texts) == {"here.c: ds__nobody_calls_this"}
