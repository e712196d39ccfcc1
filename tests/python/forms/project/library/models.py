# SPDX-License-Identifier: Apache-2.0
"""Django imports this module of an application: it knows the documents then."""

from library.documents import Author, Book, House  # noqa: F401
