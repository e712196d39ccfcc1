# SPDX-License-Identifier: Apache-2.0
"""Change the package's Python one small step at a time; name the changes that no test notices.

make mutants                            every module beside the Django backend, a sample of each
make mutants ONLY="_saving queryset"   these modules or folders
make mutants EVERY=1                    every mutant instead of one in ten; EVERY=3 one in three
make mutants SEED=2 FRESH=1             another sample; forget what earlier runs found
make mutants IMPORTED=0                 without what is evaluated once: each takes seconds
make mutants ONLY=connection TESTS="core/test_events.py documents"   by these test files alone

Tests run once under a tracer that notes the lines each of them runs; that is kept in build/mutants
until the test file or one of the modules that are tried changes. Then one process holds all
collected tests; for a mutant it forks, gives the live functions their changed code and runs the
tests that reach the line until one fails. What is evaluated once, while modules are imported or
classes are made, is tried in a fresh process with a changed copy of the package and the files of
`ABOUT`. Killed mutants are remembered in build/mutants, so that the next run is about survivors.
"""

import ast
import compileall
import functools
import gc
import hashlib
import itertools
import os
import pathlib
import pickle
import py_compile
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import types
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from mutations import Mutant, mutants

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEPT = ROOT / "build" / "mutants"
KNOWN = pathlib.Path(__file__).with_name("mutants_known.txt")
LEFT_OUT = {"__init__", "fields/__init__", "queryset/__init__", "rest_framework/__init__"}
SAMPLE = 10  # one mutant in so many, unless EVERY says another number
BUDGET = float(os.environ.get("BUDGET") or 6)  # seconds of tests for one mutant, when traced
LONGEST = 3.0  # seconds of a test that is worth running for one mutant
FIRST = ["_saving", "_fetching", "_references", "_rollback", "_delete_rules", "queryset/writing",
         "queryset", "context_managers", "fields", "rest_framework"]  # fmt: skip
SERVERS = {"mongod", "server_of_the_seed"}  # fixtures that start processes

_DOCUMENTS = ["documents", "test_document.py", "test_mistakes.py", "test_mongoengine_habits.py",
              "seed_000/test_documents.py", "seed_000/test_validation.py"]  # fmt: skip
_QUERIES = ["test_keywords.py", "test_queryset_reads.py", "test_queryset_writes.py",
            "test_lookups.py", "test_document.py", "rest_framework/test_nonsense.py"]  # fmt: skip
_CONNECTIONS = ["seed_000/test_connections.py", "seed_000/test_errors.py", "core/test_events.py",
                "seed_000/test_reading_rules.py", "test_document.py", "documents"]  # fmt: skip
_RUNS = ["documents/test_django_runs.py", "documents/test_testing.py"]
# Which test files are about a module: the longest beginning of its name counts.
ABOUT = {
    "": _DOCUMENTS,
    "queryset": _QUERIES,
    "fields": [*_DOCUMENTS, "seed_000/test_custom_fields.py", "test_lookups.py"],
    "connection": _CONNECTIONS,
    "context_managers": _CONNECTIONS,
    "errors": _CONNECTIONS,
    "_connection": _CONNECTIONS,
    "_events": ["core/test_events.py"],
    "_options": _CONNECTIONS,
    "_django": ["seed_000/test_reading_rules.py", "seed_000/test_slips.py", *_RUNS],
    "_django_tests": _RUNS,
    "_test_stores": _RUNS,
    "apps": ["test_mistakes.py", "seed_000/test_slips.py", *_RUNS],
    "testing": _RUNS,
    "rest_framework": [
        f"rest_framework/test_{one}.py"
        for one in (
            "answers generated_fields keeper kinds lists mapping parameters renderers serializers"
        ).split()
    ],
}
# All of these are traced; what they do not run, nothing else is expected to run.
TRACED = [
    "documents", "rest_framework", "seed_000", "core/test_events.py", "test_bad_input.py",
    "test_document.py", "test_keywords.py", "test_lookups.py", "test_mistakes.py",
    "test_mongoengine_habits.py",
    "test_no_cache.py", "test_partial_documents.py", "test_queryset_reads.py",
    "test_queryset_silence.py", "test_queryset_states.py", "test_queryset_threads.py",
    "test_queryset_writes.py",
]  # fmt: skip
Lines = dict[str, set[int]]
Texts = dict[str, str]  # digests of modules


def about(module: str) -> list[str]:
    """Return the test files that are about a module."""
    return ABOUT[max((one for one in ABOUT if module.startswith(one)), key=len)]


def arguments(files: list[str]) -> list[str]:
    paths = [str(ROOT / "tests" / "python" / one) for one in files]
    return ["-p", "no:cacheprovider", "-p", "no:terminal", "-W", "ignore::SyntaxWarning",
            f"--rootdir={ROOT}", *paths]  # fmt: skip


def wanted(item: pytest.Item) -> bool:
    """Whether a test runs in this process alone, on a store in memory."""
    if SERVERS & set(getattr(item, "fixturenames", ())):
        return False
    kind = getattr(getattr(item, "callspec", None), "params", {}).get("store_uri", "memory")
    return bool(kind == "memory")


class Tests:
    """A plugin: keeps the tests that are wanted; `loop` gets them instead of their being run."""

    def __init__(self, loop: Callable[[list[pytest.Item]], None] | None) -> None:
        self.loop = loop
        self.failed = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [one for one in items if wanted(one)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if self.loop is None:
            return None
        self.loop(session.items)
        return True


def run(item: pytest.Item, after: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)


def quiet() -> None:
    sink = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(sink, number)


def forked(work: Callable[[], int], seconds: float) -> int | None:
    """Do something in a forked child. Return its status, or None when it took too long."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    end = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


# What each test runs


class Tracer:
    """Notes the lines of the package that run."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.lines: Lines = {}

    def _call(self, frame: types.FrameType, event: str, arg: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(self.home):
            return None
        seen = self.lines.setdefault(name[len(self.home) :], set())
        seen.add(frame.f_lineno)

        def line(frame: types.FrameType, event: str, arg: Any) -> Any:
            seen.add(frame.f_lineno)
            return line

        return line

    def start(self) -> None:
        self.lines = {}
        threading.settrace(self._call)
        sys.settrace(self._call)

    def stop(self) -> Lines:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        return self.lines


def trace(files: list[str], home: str, out: pathlib.Path, texts: Texts) -> int:
    """Run tests; write how long each took and which lines it ran, and those of collecting, beside
    the digests of the modules that it ran."""
    quiet()
    tracer = Tracer(home)
    found: dict[str, tuple[float, Lines]] = {}

    def loop(items: list[pytest.Item]) -> None:
        found[""] = (0.0, tracer.stop())
        for at, item in enumerate(items):
            plugin.failed = False
            tracer.start()
            begin = time.monotonic()
            run(item, items[at + 1] if at + 1 < len(items) else None)
            seconds = time.monotonic() - begin
            lines = tracer.stop()
            if not plugin.failed and seconds < LONGEST:
                found[item.nodeid] = (seconds, lines)

    plugin = Tests(loop)
    tracer.start()
    pytest.main(arguments(files), plugins=[plugin])
    out.write_bytes(pickle.dumps((texts, found)))
    return 0


def digests(home: pathlib.Path, names: list[str]) -> Texts:
    return {n: hashlib.sha256((home / f"{n}.py").read_bytes()).hexdigest() for n in names}


def traced(
    home: pathlib.Path, names: list[str], files: list[str]
) -> dict[str, tuple[float, Lines]]:
    """Return what the tests run. A file is run again when it or a module to try has changed: what
    it ran of these is known, though another module may lead it elsewhere today."""
    shared = hashlib.sha256()
    base = ROOT / "tests" / "python"
    for one in sorted(base.rglob("*.py")):
        if not one.name.startswith("test_"):
            shared.update(one.read_bytes())
    paths = [one for name in files for one in sorted(base.glob(f"{name}/test_*.py"))]
    paths += [base / name for name in files if name.endswith(".py")]
    now = digests(home, every_module(home))
    known: dict[str, tuple[float, Lines]] = {}
    for path in dict.fromkeys(paths):
        digest = hashlib.sha256(shared.digest() + path.read_bytes()).hexdigest()[:20]
        stem = "_".join(path.relative_to(base).with_suffix("").parts)
        kept = KEPT / f"{stem}-{digest}.lines"
        texts, found = unpickled(kept)
        if any(texts.get(name) != now[name] for name in names):
            for old in KEPT.glob(f"{stem}-*.lines"):
                old.unlink()
            name = str(path.relative_to(base))
            forked(functools.partial(trace, [name], f"{home}/", kept, now), 600)
            found = unpickled(kept)[1]
            if not found:
                raise SystemExit(f"{name} does not end")
        for test, (seconds, lines) in found.items():
            known[test or stem] = (seconds, lines)
    return known


def unpickled(kept: pathlib.Path) -> tuple[Texts, dict[str, tuple[float, Lines]]]:
    return pickle.loads(kept.read_bytes()) if kept.exists() else ({}, {})


# Trying a mutant


class Module:
    """A module of the package, and the functions that live of it."""

    def __init__(self, home: pathlib.Path, name: str) -> None:
        self.name = name
        self.path = home / f"{name}.py"
        self.file = f"{name}.py"
        self.source = self.path.read_text()
        self.lines = self.source.splitlines()
        self.plain = codes(compile(self.source, str(self.path), "exec"))
        self.live: list[types.FunctionType] = []

    def changed(self, mutant: Mutant) -> list[tuple[types.FunctionType, types.CodeType]]:
        """Return the live functions that the mutant changes, with their new code."""
        new = codes(compile(mutant.tree, str(self.path), "exec"))
        found = []
        for one in self.live:
            key = (one.__code__.co_qualname, one.__code__.co_firstlineno)
            old, code = self.plain.get(key), new.get(key)
            if old is not None and code is not None and old != code:
                if old.co_freevars != code.co_freevars:
                    return []
                found.append((one, code))
        return found

    def key(self, mutant: Mutant) -> str:
        """Return what names a mutant as long as the module stays as it is."""
        text = "\n".join(self.lines[mutant.unit[0] - 1 :] if mutant.unit else self.lines)
        code = compile(mutant.tree, self.file, "exec", dont_inherit=True)
        new = codes(code).values()
        digest = hashlib.sha256(text.encode())
        for one in new:
            digest.update(one.co_code + repr(plain(one)).encode())
        return f"{self.name} {digest.hexdigest()[:24]}"


def plain(code: types.CodeType) -> tuple[Any, ...]:
    kept = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
    names = [sorted(one) if isinstance(one, frozenset) else one for one in kept]
    return (names, code.co_names, code.co_qualname)


def codes(code: types.CodeType) -> dict[tuple[str, int], types.CodeType]:
    """Return the code objects inside one by name and first line."""
    found = {(code.co_qualname, code.co_firstlineno): code}
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found.update(codes(one))
    return found


def defaults(one: types.FunctionType, module: Module, mutant: Mutant) -> bool:
    """Give the live function the changed default of its parameter."""
    for node in ast.walk(mutant.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first != mutant.unit[-1] or first != one.__code__.co_firstlineno:
                continue
            try:
                plain = [ast.literal_eval(d) for d in node.args.defaults]
                named = {
                    a.arg: ast.literal_eval(d)
                    for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                    if d
                }
            except ValueError:
                return False
            one.__defaults__ = tuple(plain) or None
            one.__kwdefaults__ = named or None
            return True
    return False


def within(budget: float, tests: list[pytest.Item], seconds: dict[str, float]) -> list[pytest.Item]:
    """Return the first of the tests, until the budget is spent."""
    ends = itertools.accumulate(seconds[one.nodeid] for one in tests)
    return [one for one, end in zip(tests, [0.0, *ends], strict=False) if end <= budget]


class Trial:
    """Runs in the process that holds the collected tests."""

    def __init__(self, tests: dict[str, tuple[float, Lines]], plugin: Tests) -> None:
        self.tests = tests
        self.plugin = plugin
        self.items: list[pytest.Item] = []
        self.recent: list[str] = []  # tests that killed lately

    def chosen(self, module: Module, mutant: Mutant) -> list[pytest.Item]:
        """Return the tests that run the mutant's lines: those of the file named after the module,
        then the last killers, then by turns the one that runs most of the function, where its
        rarer cases are meant, and the quickest. Those that take long come last. Each of the three
        has a budget of its own."""
        span = set(range(mutant.first, mutant.last + 1))
        starts = [c for c in module.plain.values() if c.co_firstlineno in mutant.unit[-1:]]
        body = {line for c in starts for _, _, line in c.co_lines() if line}
        if mutant.default:
            span = body - {mutant.first}
        reach, share = {}, {}
        for name, (seconds, lines) in self.tests.items():
            if span & lines.get(module.file, set()):
                reach[name] = seconds
                share[name] = len(body & lines[module.file])
        found = [one for one in self.items if one.nodeid in reach]
        quick = sorted(found, key=lambda one: reach[one.nodeid])
        own = [one for one in quick if one.path.stem == f"test_{module.path.stem}"]
        slow = [one for one in quick if reach[one.nodeid] > BUDGET / 8]
        quick = quick[: len(quick) - len(slow)]
        thorough = sorted(quick, key=lambda one: -share[one.nodeid])
        killers = [one for one in quick if one.nodeid in self.recent]
        turns = itertools.chain.from_iterable(zip(thorough, quick, strict=True))
        tests = list(dict.fromkeys([*killers, *turns]))
        chosen = (within(BUDGET, one, reach) for one in (own, tests, slow))
        return list(dict.fromkeys(itertools.chain.from_iterable(chosen)))

    def try_live(self, module: Module, mutant: Mutant) -> str:
        """Return what became of it; "" when it takes a fresh process."""
        changed = [] if mutant.default else module.changed(mutant)
        owners = [one for one in module.live
                  if mutant.default and one.__code__.co_firstlineno == mutant.unit[-1]]  # fmt: skip
        if not changed and not owners:
            return ""
        chosen = self.chosen(module, mutant)
        if not chosen:
            return "not run"
        killer = KEPT / "killer"

        def work() -> int:
            for one, code in changed:
                one.__code__ = code
            if owners and not all(defaults(one, module, mutant) for one in owners):
                return 98
            resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
            quiet()
            for at, item in enumerate(chosen):
                run(item, chosen[at + 1] if at + 1 < len(chosen) else None)
                if self.plugin.failed:
                    killer.write_text(item.nodeid)
                    return 1
            return 0

        killer.write_text("")
        status = forked(work, 10 + 9 * BUDGET)
        if status is None:
            return "timed out"
        if os.waitstatus_to_exitcode(status) == 98:
            return ""
        name = killer.read_text()
        if name:
            self.recent = [name, *(one for one in self.recent if one != name)][:12]
        if status == 0 and self.ran_at_import(module, mutant):
            return ""  # for the classes of the tests it came too late
        return "survived" if status == 0 else "killed"

    def ran_at_import(self, module: Module, mutant: Mutant) -> bool:
        """Whether collecting the tests ran the mutant's lines."""
        span = set(range(mutant.first, mutant.last + 1))
        return any(
            "::" not in name and span & lines.get(module.file, set())
            for name, (_, lines) in self.tests.items()
        )


class Nursery:
    """A process that has imported nothing of the package: its children import a changed copy."""

    def __init__(self, home: pathlib.Path, copy: pathlib.Path) -> None:
        self.copy = copy
        shutil.copytree(home, copy / "mongodb", ignore=shutil.ignore_patterns("__pycache__"))
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(copy, quiet=2, invalidation_mode=mode)
        self._sound: dict[tuple[str, ...], bool] = {}
        asked, self._ask = os.pipe()
        self._told, tell = os.pipe()
        if os.fork() == 0:
            os.close(self._ask)
            self._serve(os.fdopen(asked), tell)
        os.close(asked)

    def _serve(self, asked: Any, tell: int) -> NoReturn:
        import bson  # noqa: F401 - once for all children
        import django  # noqa: F401
        import pymongo  # noqa: F401

        os.setpgid(0, 0)
        for line in asked:
            status = forked(functools.partial(self._run, line.strip()), 120)
            words = {0: b"survived\n", None: b"timed out\n"}
            os.write(tell, words.get(status, b"killed\n"))
        os._exit(0)

    def _run(self, module: str) -> int:
        quiet()
        sys.path.insert(0, str(self.copy))
        os.environ["PYTHONPATH"] = str(self.copy)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        plugin = Tests(None)
        return int(pytest.main(["-x", *arguments(about(module))], plugins=[plugin]))

    def try_fresh(self, module: Module, mutant: Mutant) -> str:
        """Return what became of it; "" when the tests fail without a mutant."""
        files = tuple(about(module.name))
        if files not in self._sound:
            self._sound[files] = self._answer(module) == "survived"
        if not self._sound[files]:
            return ""
        file = self.copy / "mongodb" / module.file
        file.write_text(ast.unparse(mutant.tree))
        try:
            return self._answer(module)
        finally:
            file.write_text(module.source)

    def _answer(self, module: Module) -> str:
        os.write(self._ask, f"{module.name}\n".encode())
        return os.read(self._told, 100).decode().strip()


# The whole


def every_module(home: pathlib.Path) -> list[str]:
    names = sorted(str(one.relative_to(home))[:-3] for one in home.rglob("*.py"))
    names = [one for one in names if one not in LEFT_OUT and not one.startswith("backend")]
    names.sort(key=lambda one: next((i for i, p in enumerate(FIRST) if one.startswith(p)), 99))
    return names


def modules(home: pathlib.Path) -> list[str]:
    """Return the modules that are asked for."""
    names = every_module(home)
    only = os.environ.get("ONLY", "").split()
    picked = [n for n in names if n in only or any(n.startswith(f"{one}/") for one in only)]
    return picked if only else names


def known() -> set[str]:
    """Return the mutants that change nothing a test could see: `module: change: line`."""
    lines = KNOWN.read_text().splitlines() if KNOWN.exists() else []
    return {one for one in lines if one and not one.startswith("#")}


def report(module: str, counts: dict[str, int], seconds: float) -> None:
    made = sum(counts.values())
    words = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{module}: {made} mutants: {words}; {seconds:.0f} s", flush=True)


def campaign(trial: Trial, home: pathlib.Path, names: list[str], nursery: Nursery) -> int:
    """Try the mutants of the modules; return how many survived."""
    warnings.simplefilter("ignore", SyntaxWarning)
    every = int(os.environ.get("EVERY") or SAMPLE)
    log = KEPT / "killed.txt"
    killed = set(log.read_text().splitlines()) if log.exists() else set()
    equivalent = known()
    total: dict[str, int] = {}
    alive: dict[str, list[types.FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is types.FunctionType:
            alive.setdefault(one.__code__.co_filename, []).append(one)
    gc.freeze()
    for name in names:
        module = Module(home, name)
        module.live = alive.get(str(module.path), [])
        begin = time.monotonic()
        counts: dict[str, int] = {}
        makers = list(mutants(module.source))
        chooser = random.Random(f"{os.environ.get('SEED', 0)} {name}")
        for make in sorted(chooser.sample(range(len(makers)), -(-len(makers) // every))):
            mutant = makers[make]()
            line = f"{name}: {mutant.what}: {mutant.text(module.lines)}"
            key = module.key(mutant)
            if line in equivalent:
                outcome = "known"
            elif key in killed:
                outcome = "killed"
            else:
                outcome = trial.try_live(module, mutant)
                if outcome == "" and os.environ.get("IMPORTED") != "0":
                    outcome = nursery.try_fresh(module, mutant)
                if outcome == "killed":
                    with log.open("a") as out:
                        out.write(f"{key}\n")
                elif outcome not in ("", "timed out"):
                    shown = f"python/mongodb/{name}.py:{mutant.first}: {outcome}: {mutant.what}"
                    print(f"{shown}: {mutant.text(module.lines)}", flush=True)
            counts[outcome or "left"] = counts.get(outcome or "left", 0) + 1
        report(name, counts, time.monotonic() - begin)
        for what, count in counts.items():
            total[what] = total.get(what, 0) + count
    report("all", total, time.process_time())
    return total.get("survived", 0) + total.get("not run", 0)


def main() -> int:
    import importlib.util

    found = importlib.util.find_spec("mongodb")
    assert found is not None and found.origin is not None
    home = pathlib.Path(found.origin).parent
    KEPT.mkdir(parents=True, exist_ok=True)
    if os.environ.get("FRESH") == "1":
        (KEPT / "killed.txt").unlink(missing_ok=True)
    begin = time.monotonic()
    survived = []
    with tempfile.TemporaryDirectory() as folder:
        nursery = Nursery(home, pathlib.Path(folder))
        names = modules(home)
        files = os.environ.get("TESTS", "").split() or TRACED
        tests = traced(home, names, files)
        print(f"{len(tests)} tests traced in {time.monotonic() - begin:.0f} s", flush=True)

        def loop(items: list[pytest.Item]) -> None:
            trial.items = items
            capture = items[0].config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                survived.append(campaign(trial, home, names, nursery))

        plugin = Tests(loop)
        trial = Trial(tests, plugin)
        pytest.main(arguments(files), plugins=[plugin])
    return 1 if not survived or survived[0] else 0


if __name__ == "__main__":
    raise SystemExit(main())
