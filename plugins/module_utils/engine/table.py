# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each verb does in each phase of another controller, as data: a mapping verb → phase → Effect. Pure.

The code that obeys a command looks here what to do, the tests go through every cell, and the documentation is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KINDS = DOES, NOTHING, REFUSED = ("does", "nothing", "refused")


@dataclass(frozen=True)
class Effect:
    """What a verb leads to in one phase. said: what people are told; of a refusal, what would be allowed instead."""

    kind: str  # one of KINDS
    said: str
    act: str = ""  # which of the engine's acts is done; empty unless kind is does


Table = Mapping[str, Mapping[str, Effect]]


def does(act: str, said: str) -> Effect:
    """The verb changes something."""
    return Effect(DOES, said, act)


def nothing(said: str) -> Effect:
    """What the verb asks for stands already: changed is false."""
    return Effect(NOTHING, said)


def refused(allowed: str) -> Effect:
    """The verb is impossible here; nothing is changed."""
    return Effect(REFUSED, allowed)


def lines(table: Table) -> list[tuple[str, str, str, str]]:
    """verb, phase, kind and what is said of every cell, in the table's order."""
    return [(verb, phase, effect.kind, effect.said) for verb, row in table.items() for phase, effect in row.items()]
