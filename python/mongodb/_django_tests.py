# SPDX-License-Identifier: Apache-2.0
"""Makes Django's test runs, and pytest-django's, use test stores for documents.

Nothing of django.test is imported before somebody else imports it.
"""

from __future__ import annotations

import functools
import importlib.machinery
import multiprocessing.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from mongodb._test_stores import TestStores

__all__ = ["watch"]

_stores = TestStores()


def watch() -> None:
    """Install the hooks as soon as django.test is imported."""
    if hasattr(sys.modules.get("django.test"), "TransactionTestCase"):
        _install()
    elif not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds django.test once, and installs the hooks when it has been executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "django.test":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                _install()

            loader.exec_module = exec_module
        return spec


def _install() -> None:
    from django.test import testcases, utils

    if getattr(utils.setup_test_environment, "_of_documents", False):
        return
    _wrap_run(utils)
    runner = sys.modules.get("django.test.runner")
    if runner is not None:
        _use_in_runner(runner, utils)
    _wrap_cases(testcases.SimpleTestCase)


def _wrap_run(utils: Any) -> None:
    begin, end, databases = (
        utils.setup_test_environment, utils.teardown_test_environment, utils.setup_databases
    )  # fmt: skip

    @functools.wraps(begin)
    def setup_test_environment(*args: Any, **kwargs: Any) -> Any:
        begin(*args, **kwargs)
        if not hasattr(sys, "ps1"):  # in a shell Django's databases stay too
            _stores.begin()

    @functools.wraps(end)
    def teardown_test_environment(*args: Any, **kwargs: Any) -> Any:
        if _stores.active:
            _stores.end()
        return end(*args, **kwargs)

    @functools.wraps(databases)
    def setup_databases(*args: Any, **kwargs: Any) -> Any:
        if _stores.active:
            _stores.keep = bool(kwargs.get("keepdb")) or _stores.keep
            if "django.test.runner" in sys.modules:
                _wrap_workers(sys.modules["django.test.runner"])
        return databases(*args, **kwargs)

    setup_test_environment._of_documents = True  # type: ignore[attr-defined]
    utils.setup_test_environment = setup_test_environment
    utils.teardown_test_environment = teardown_test_environment
    utils.setup_databases = setup_databases


def _use_in_runner(runner: Any, utils: Any) -> None:
    runner.setup_test_environment = utils.setup_test_environment
    runner.teardown_test_environment = utils.teardown_test_environment
    runner._setup_databases = utils.setup_databases


def _wrap_cases(case: Any) -> None:
    """Each class and each test leaves the stores as it found them."""
    set_up_class = case.__dict__["setUpClass"].__func__
    before = case.__dict__["_pre_setup"]
    per_class = isinstance(before, classmethod)  # since Django 5.2
    before = before.__func__ if per_class else before
    after = case._post_teardown

    def setUpClass(cls: Any) -> None:
        if _stores.active:
            cls.addClassCleanup(_stores.pop, _stores.push())
        set_up_class(cls)

    def _pre_setup(self: Any) -> None:
        if _stores.active:
            _stores.in_test = True
            (self if per_class else type(self))._documents_level = _stores.push()
        before(self)

    def _post_teardown(self: Any) -> None:
        try:
            after(self)
        finally:
            _stores.in_test = False
            level = type(self).__dict__.get("_documents_level")
            if level is not None:
                type(self)._documents_level = None
                _stores.pop(level)

    case.setUpClass = classmethod(setUpClass)
    case._pre_setup = classmethod(_pre_setup) if per_class else _pre_setup
    case._post_teardown = _post_teardown


def _wrap_workers(runner: Any) -> None:
    suite = runner.ParallelTestSuite
    if suite.__dict__["init_worker"] is not runner._init_worker:
        return
    initialize = suite.initialize_suite

    def initialize_suite(self: Any) -> None:
        _stores.remember()
        initialize(self)

    suite.initialize_suite = initialize_suite
    suite.init_worker = _init_worker


def _init_worker(*args: Any, **kwargs: Any) -> None:
    """Set a worker process up; at module level, so that it can be pickled."""
    from django.test import runner

    runner._init_worker(*args, **kwargs)
    if _stores.active:
        _stores.begin_worker(runner._worker_id)
        # workers run no atexit functions
        multiprocessing.util.Finalize(None, _stores.end, exitpriority=1)
