# SPDX-License-Identifier: Apache-2.0
"""Run every test and end with what failed, by name, and one line of totals.

Up to five failed tests are run once more, each alone: one that passes then is flaky, and passed.

python tests/run.py            all steps
python tests/run.py c python   only those named
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

from recap import (
    Outcome,
    each,
    meson_outcome,
    own_outcome,
    pytest_id,
    pytest_outcome,
    recap,
    try_again,
)

ROOT = pathlib.Path(__file__).resolve().parent.parent
ASAN = ROOT / "build" / "asan"
FUZZ = ROOT / "build" / "fuzz"
TSAN = ROOT / "build" / "tsan"
SANITIZED = ROOT / "build" / "sanitized"
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:abort_on_error=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "LSAN_OPTIONS": f"suppressions={ROOT / 'tests' / 'c' / 'lsan.supp'}",
}


def run(
    command: list[str], shown: int | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command from the project's root, showing (`shown` words of) it; keep what it prints."""
    print("    $", " ".join(command[:shown]), flush=True)
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            print("    " + line, end="", flush=True)
    return subprocess.CompletedProcess(command, process.wait(), "".join(lines))


def configure(folder: pathlib.Path, *options: str, **env: str) -> None:
    if not (folder / "build.ninja").exists():
        done = run(["meson", "setup", str(folder), *options], **env)
        if done.returncode:
            raise SystemExit("meson setup failed")
    done = run(["ninja", "-C", str(folder), "--quiet"], **env)
    if done.returncode:
        raise SystemExit("the C build failed")


def lint() -> Outcome:
    """Style and types: ruff, its formatter, mypy, clang-format."""
    listed = run_quietly(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"])
    sources = [name for name in listed.splitlines() if (ROOT / name).exists()]
    checks = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["clang-format", "--dry-run", "-Werror", *sources],
    ]
    return each((" ".join(check[:6]), run(check, shown=6).returncode == 0) for check in checks)


def run_quietly(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE).stdout


def configure_asan() -> None:
    configure(
        ASAN,
        "-Db_sanitize=address,undefined",
        "-Db_lundef=false",
        "-Dbuildtype=debugoptimized",
        "-Dtests=true",
        "-Dpython=false",
    )


def c_tests() -> Outcome:
    """C tests and the C example, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    configure_asan()
    meson = ["meson", "test", "-C", str(ASAN), "--print-errorlogs"]
    log = ASAN / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    done = run(meson, **SANITIZERS)
    found = meson_outcome(done.returncode, log.read_text() if log.exists() else "")
    pipe = [sys.executable, "tests/engine_pipe.py", str(ASAN / "tests" / "c" / "engine_pipe")]
    found += each([(pipe[1], run(pipe, **SANITIZERS).returncode == 0)])

    def passes(test: str) -> bool:
        again = pipe if test == pipe[1] else [*meson, "--no-rebuild", "--logbase=again", test]
        return run(again, **SANITIZERS).returncode == 0

    return try_again(found, lambda name: None if " " in name else name, passes)


def python_tests() -> Outcome:
    """Everything above the waist, on memory, on a file and on a real mongod."""
    return pytest(["--durations=10"])


def pytest(arguments: list[str], shown: int | None = None, **env: str) -> Outcome:
    """Run pytest, and up to five failed tests once more."""
    command = [sys.executable, "-m", "pytest", "-q"]
    env.setdefault("COLUMNS", "140")  # of the reasons in what is printed last
    done = run([*command, *arguments], shown, **env)

    def passes(test: str) -> bool:
        return run([*command, "-p", "no:cacheprovider", test], **env).returncode == 0

    return try_again(pytest_outcome(done.returncode, done.stdout), pytest_id, passes)


def own(command: list[str]) -> Outcome:
    """Run a program of ours, which ends with its totals."""
    done = run(command)
    return own_outcome(done.returncode, done.stdout)


def fuzz() -> Outcome:
    """Each fuzzer for a few seconds (FUZZ_SECONDS), beginning with the cases of tests/lang."""
    configure(FUZZ, "-Dfuzz=true", "-Dpython=false", "-Dlibrary=false", CC="clang")
    seeds = FUZZ / "seeds"
    if run([sys.executable, "fuzz/seeds.py", str(seeds)]).returncode:
        return Outcome(failed=1, names=["fuzz/seeds.py"])
    programs = [
        program
        for program in sorted((FUZZ / "fuzz").glob("fuzz_*"))
        if program.is_file() and os.access(program, os.X_OK)
    ]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = list(pool.map(run_fuzzer, programs))
    return each(zip((program.name for program in programs), done, strict=True))


def run_fuzzer(program: pathlib.Path) -> bool:
    """One fuzzer on its seeds, on what once failed (fuzz/corpus) and on what it found before."""
    name = program.name.removeprefix("fuzz_")
    work = FUZZ / "corpus" / program.name
    work.mkdir(parents=True, exist_ok=True)
    seconds = os.environ.get("FUZZ_SECONDS", "15")
    command = [str(program), "-max_len=4096", f"-max_total_time={seconds}", "-timeout=10"]
    command += [f"-artifact_prefix={work}/", "-print_final_stats=0", "-verbosity=0", str(work)]
    folders = (FUZZ / "seeds" / name, ROOT / "fuzz" / "corpus" / name)
    command += [str(folder) for folder in folders if folder.is_dir()]
    return run(command, **SANITIZERS).returncode == 0


def demo() -> Outcome:
    """The demo, started and asked as its page says."""
    return own([sys.executable, "examples/cities/demo.py", "--check"])


def django_suite() -> Outcome:
    """Django's own tests of the ORM's core, unmodified, on `mongodb.backend`."""
    return own([sys.executable, "tests/django_suite/run.py"])


def faults() -> Outcome:
    """Memory and the disk fail at every single step, power at many moments: half an hour."""
    configure_asan()
    names = ["memory_faults", "disk_faults", "power_loss"]
    every = {"FAULTS_EVERY": "1", "POWER_LOSSES": "40", **SANITIZERS}
    programs = [str(ASAN / "tests" / "c" / f"engine_test_{name}") for name in names]
    return each((program, run([program], **every).returncode == 0) for program in programs)


def threads() -> Outcome:
    """The C tests of many threads under ThreadSanitizer (THREAD_ROUNDS)."""
    configure(
        TSAN,
        "-Db_sanitize=thread",
        "-Db_lundef=false",
        "-Dbuildtype=debugoptimized",
        "-Dtests=true",
        "-Dpython=false",
        "-Dlibrary=false",
        "-Dwerror=false",  # GCC warns of more, and falsely, in what the sanitizer adds to
    )
    options = f"second_deadlock_stack=1:suppressions={ROOT / 'tests' / 'c' / 'tsan.supp'}"
    rounds = os.environ.get("THREAD_ROUNDS", "300")
    programs = [str(TSAN / "tests" / "c" / name) for name in THREADED]
    return each(
        (program, run([program], TSAN_OPTIONS=options, THREAD_ROUNDS=rounds).returncode == 0)
        for program in programs
    )


def build_sanitized() -> dict[str, str]:
    """The package with its extension under sanitizers, beside the virtual environment; what makes a
    Python use it. A mongod is started without: it brings an allocator of its own."""
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    pip += ["--no-build-isolation", "--no-deps", "--upgrade", "--target", str(SANITIZED / "site")]
    pip += [f"-Cbuild-dir={SANITIZED / 'meson'}"]
    options = ("-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbuildtype=debugoptimized")
    if run([*pip, *(f"-Csetup-args={option}" for option in options), "."]).returncode:
        raise SystemExit("the build under sanitizers failed")
    sys.path.insert(0, str(ROOT / "tests" / "python"))
    from conftest import find_mongod

    mongod = SANITIZED / "mongod"
    mongod.write_text(f'#!/bin/sh\nunset LD_PRELOAD\nexec "{find_mongod()}" "$@"\n')
    mongod.chmod(0o755)
    return {
        "PYTHONPATH": str(SANITIZED / "site"),
        "MONGOD": str(mongod),
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": run_quietly(["gcc", "-print-file-name=libasan.so"]).strip(),
        "UBSAN_OPTIONS": SANITIZERS["UBSAN_OPTIONS"],
    }


# Those that measure their process's memory find the sanitizer's.
MEASURING = "not leak_nothing and not memory_of_clients and not read_a_large_file"
EXTENSION = ["core", "documents", "rest_framework", "backend/test_plan.py", "test_bad_input.py"]
LEAKING = ["core/test_client.py", "core/test_codec.py", "documents/test_keys.py"]


def extension() -> Outcome:
    """Python's tests with the extension under AddressSanitizer and UndefinedBehaviorSanitizer."""
    env = build_sanitized()
    quick = ["-p", "no:cacheprovider", "-k", MEASURING]
    found = pytest(
        [*quick, *(f"tests/python/{name}" for name in EXTENSION)],
        shown=6,
        ASAN_OPTIONS="detect_leaks=0",
        **env,
    )
    command = [sys.executable, "-m", "pytest", "-q", *quick]
    leaks = run(
        [*command, *(f"tests/python/{name}" for name in LEAKING)],
        shown=6,
        ASAN_OPTIONS="detect_leaks=1:fast_unwind_on_malloc=0:malloc_context_size=40",
        LSAN_OPTIONS="exitcode=0",
        **env,
    )
    lost = count_leaks(leaks.stdout)
    found += pytest_outcome(leaks.returncode, leaks.stdout)
    told = f"{lost} of the leaks were allocated below mongodb._core"
    print(f"    {told}")
    return found + Outcome(failed=lost, names=[told] if lost else [])


OURS = r" (\.\./)+(python/_core|src/(?!libsanitizer))"


def count_leaks(output: str) -> int:
    """Leaks with sources of ours among their callers. CPython and others' modules keep what they
    made when they were imported: those are not ours to suppress one by one. So does tracemalloc,
    which keeps a stack of Python's for each place that it saw allocate."""
    blocks = re.split(r"\n\s*(?=(?:Direct|Indirect) leak of|SUMMARY)", output)
    leaks = [b for b in blocks if "leak of" in b and " traceback_new " not in b]
    return sum(bool(re.search(OURS, b)) for b in leaks)


def sessions() -> Outcome:
    """Interleaved sessions beside a mongod, from a seed on (SEED, SECONDS)."""
    command = [sys.executable, "tests/differential/sessions.py"]
    command += [
        "--seed",
        os.environ.get("SEED") or "1",
        "--seconds",
        os.environ.get("SECONDS") or "60",
    ]
    return own(command)


def forks() -> Outcome:
    """What a forked child may use, again and again (FORK_ROUNDS)."""
    rounds = os.environ.get("FORK_ROUNDS", "20")
    files = ["tests/python/core/test_fork.py", "tests/python/test_forks.py"]
    return pytest(files, FORK_ROUNDS=rounds)


def soak() -> Outcome:
    """Processes and clients of a server on one file, killed and started anew (MINUTES)."""
    minutes = os.environ.get("MINUTES") or "10"
    return own([sys.executable, "tests/soak/soak.py", "--minutes", minutes])


# Those that start threads, directly or as servers and reapers.
THREADED = [
    "client_test_client",
    "client_test_threads",
    "engine_catalog_test_load",
    "engine_store_test_leaves",
    "engine_test_engine",
    "engine_test_reaper",
    "engine_test_threads",
]

# Not part of a whole run: by name only.
MORE = {
    "extension": extension,
    "faults": faults,
    "forks": forks,
    "sessions": sessions,
    "soak": soak,
    "threads": threads,
}
STEPS = {
    "lint": lint,
    "c": c_tests,
    "fuzz": fuzz,
    "python": python_tests,
    "django": django_suite,
    "demo": demo,
}


def main(names: list[str]) -> int:
    steps = {**STEPS, **MORE}
    unknown = [name for name in names if name not in steps]
    if unknown:
        print(f"unknown step {unknown[0]!r}; steps are {', '.join(steps)}", file=sys.stderr)
        return 2
    found: dict[str, Outcome] = {}
    for name in names or STEPS:
        print(f"==> {name}: {(steps[name].__doc__ or '').splitlines()[0]}", flush=True)
        start = time.monotonic()
        one = found[name] = steps[name]()
        seconds = time.monotonic() - start
        print(f"==> {name}: {one.passed} passed, {one.failed} failed in {seconds:.0f} s\n")
    for line in recap(found):
        print(line)
    total = sum(found.values(), Outcome())
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
