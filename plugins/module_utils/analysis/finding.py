# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look leads to, as numbers: the decision before it is put into a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import Gate


@dataclass(frozen=True)
class GateFinding:
    """What one gate's evidence is after a look.

    Logarithms are natural and ``-inf`` where a test does not apply. ``limit`` is the scaled max_rate to certify. ``steady``: what of the
    evidence of harm (comparison, limit, one look) is beyond doubt.
    """

    gate: Gate
    log_relative: float
    log_absolute: float
    log_promote: float
    log_promote_ratio: float
    limit: float
    certified: bool
    steady: tuple[float, float, float]


@dataclass(frozen=True)
class Finding:
    """Decision and cause with the evidence of every gate, and the averages over the gates, beyond doubt, that roll back."""

    decision: str
    cause: str
    gates: tuple[GateFinding, ...]
    log_relative: float
    log_absolute: float
    detail: str = ""
