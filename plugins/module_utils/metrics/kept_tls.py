# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""open_url whose trust is read once: it reads all of the machine's certificates for every request, which is most of what a look costs."""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any

from ansible.module_utils import urls

TAKES_CONTEXT = "context" in inspect.signature(urls.Request.open).parameters  # ansible-core 2.16 does not


def open_url(
    url: str,
    *,
    ca_path: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    validate_certs: bool = True,
    **more: Any,
) -> Any:
    """A GET as ansible.module_utils.urls.open_url makes it. Files that were replaced, as short-lived certificates are, are read again."""
    trust = {"ca_path": ca_path, "client_cert": client_cert, "client_key": client_key, "validate_certs": validate_certs}
    if TAKES_CONTEXT:
        changed = tuple(os.stat(file).st_mtime_ns for file in (ca_path, client_cert, client_key) if file)
        more["context"] = _context(ca_path, client_cert, client_key, validate_certs, changed)
    return urls.Request().open("GET", url, **trust, **more)


@functools.lru_cache(maxsize=4)
def _context(ca: str | None, certificate: str | None, key: str | None, validate: bool, _changed: tuple[int, ...]) -> Any:
    """What TLS needs to know who is trusted and who we are."""
    return urls.make_context(cafile=ca, client_cert=certificate, client_key=key, validate_certs=validate)
