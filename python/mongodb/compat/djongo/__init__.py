# SPDX-License-Identifier: Apache-2.0
"""Djongo's names: `mongodb.compat.install("djongo")` makes `import djongo` mean this package."""
