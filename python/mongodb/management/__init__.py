# SPDX-License-Identifier: Apache-2.0
"""What `manage.py documents` does."""
