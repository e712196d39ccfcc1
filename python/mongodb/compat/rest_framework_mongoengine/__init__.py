# SPDX-License-Identifier: Apache-2.0
"""Django REST Framework MongoEngine's modules, as `compat.install("rest_framework_mongoengine")`
gives them."""
