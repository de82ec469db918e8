# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Markup that cannot be broken out of: text is escaped unless it was made here. HTML that is XML at the same time. Pure."""

from __future__ import annotations

import html
import re
from typing import Any

# what XML 1.0 does not allow, not even escaped
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
VOID = frozenset({"meta", "br", "hr", "col", "link"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def printable(value: Any) -> str:
    """A value as text without the characters that no XML document may have."""
    return _FORBIDDEN.sub("�", str(value))


def escaped(value: Any) -> Markup:
    """A value as markup that shows it."""
    return value if isinstance(value, Markup) else Markup(html.escape(printable(value)))


def joined(*parts: Any) -> Markup:
    """Parts one after the other; None is left out."""
    return Markup("".join(escaped(part) for part in parts if part is not None))


def tag(element: str, /, *children: Any, **attributes: Any) -> Markup:
    """An element. class_ is class, aria_label is aria-label; an attribute that is None is left out, True is its own name."""
    shown = "".join(
        f' {_name(key)}="{escaped(_name(key) if value is True else value)}"' for key, value in attributes.items() if value is not None
    )
    if element in VOID:
        return Markup(f"<{element}{shown}/>")
    return Markup(f"<{element}{shown}>{joined(*children)}</{element}>")


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
