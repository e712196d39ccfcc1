# SPDX-License-Identifier: Apache-2.0
"""From a statement's syntax tree to MongoDB's commands: names become paths, conditions become
filters with SQL's three-valued logic, queries become `find` or a pipeline."""

from mongodb.backend.plan.prepare import Prepared, prepare

__all__ = ["Prepared", "prepare"]
