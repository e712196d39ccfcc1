# SPDX-License-Identifier: Apache-2.0
"""What Django REST Framework MongoEngine has beside DRF's modules."""
