# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record keeps of a secret, what a message shows of one, and the headers that carry them. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Union
from urllib.parse import urlsplit

from .parts import HEADER_NAME
from .values import Reader

HIDDEN = "(hidden)"
HASH = "hidden sha256:"
HASHED = re.compile(HASH + "[0-9a-f]{64}")

Pairs = tuple[tuple[str, str], ...]  # names, which are no secrets, and values, which may be
Secret = Union[str, None]


def hashed(value: str) -> str:
    """What a record keeps of a secret: enough to see that it is the same one. A hash stays as it is."""
    return value if is_hash(value) else HASH + hashlib.sha256(value.encode()).hexdigest()


def hashed_pairs(pairs: Pairs) -> Pairs:
    """Pairs with their values hashed."""
    return tuple((name, hashed(value)) for name, value in pairs)


def is_hash(value: Secret) -> bool:
    """Whether this is what a record keeps, and nobody can be let in by it."""
    return value is not None and HASHED.fullmatch(value) is not None


def is_url(url: str) -> bool:
    """Whether it is an http or https URL that names a host."""
    try:
        found = urlsplit(url)
        return found.scheme in ("http", "https") and bool(found.hostname) and found.port != 0 and not re.search(r"\s", url)
    except ValueError:
        return False


def shown_url(url: str) -> str:
    """Scheme, host and port of a URL, and nothing that could be a secret: paths and queries of webhooks often are."""
    if is_hash(url):
        return HIDDEN
    found = urlsplit(url)
    return f"{found.scheme}://{found.netloc.rpartition('@')[2]}"


def url(read: Reader, field: str, value: Any) -> str | None:
    """A URL that must be there; None, and a problem, when it is none."""
    if value is None:
        read.refuse(field, None, "is required")
    found = read.text(field, value)
    if found and not is_url(found):
        read.refuse(field, HIDDEN, "a URL that begins with http:// or https:// and names a host")
        return None
    return found


def headers(read: Reader, field: str, value: Any) -> Pairs:
    """Names and values of the headers of a request, in the order of their names."""
    made = []
    for name, text in (read.mapping(field, value) or {}).items():
        if not HEADER_NAME.fullmatch(str(name)):
            read.refuse(field, str(name), "names of headers: letters, digits and -, such as X-Scope-OrgID")
        elif not isinstance(text, str) or not text or not text.isprintable():
            read.refuse(f"{field}.{name}", HIDDEN, "a non-empty string of one line (quote numbers and true, false)")
        else:
            made.append((str(name), text))
    return tuple(sorted(made))
