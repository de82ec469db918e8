# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A counter and a native histogram in the protocol buffers that Prometheus scrapes native histograms in."""

from __future__ import annotations

import struct
from collections.abc import Mapping

COUNTER, HISTOGRAM = 0, 4  # io.prometheus.client.MetricType
SCHEMA = 0  # each bucket's bound is twice the one before it: bucket n ends at 2 ** n


def counter(name: str, series: Mapping[tuple[tuple[str, str], ...], float]) -> bytes:
    """A family of counters: labels and value of each."""
    return _family(name, COUNTER, [_labels(labels) + _field(3, _double(1, value)) for labels, value in series.items()])


def histogram(name: str, labels: tuple[tuple[str, str], ...], buckets: Mapping[int, int]) -> bytes:
    """A family with one native histogram: of each bucket its number, and how many it holds."""
    numbers = range(min(buckets), max(buckets) + 1) if buckets else range(0)
    counts = [buckets.get(number, 0) for number in numbers]
    deltas = [count - (counts[place - 1] if place else 0) for place, count in enumerate(counts)]
    body = _integer(1, sum(counts)) + _double(2, 1.0 * sum(counts)) + _integer(5, _zigzag(SCHEMA)) + _double(6, 2.0**-128) + _integer(7, 0)
    if counts:
        body += _field(12, _integer(1, _zigzag(min(buckets))) + _integer(2, len(counts)))
        body += b"".join(_integer(13, _zigzag(delta)) for delta in deltas)
    else:
        body += _field(12, _integer(1, 0) + _integer(2, 0))  # an empty span: native, though nothing was counted yet
    return _family(name, HISTOGRAM, [_labels(labels) + _field(7, body)])


def _family(name: str, kind: int, metrics: list[bytes]) -> bytes:
    body = _field(1, name.encode()) + _integer(3, kind) + b"".join(_field(4, one) for one in metrics)
    return _varint(len(body)) + body


def _labels(labels: tuple[tuple[str, str], ...]) -> bytes:
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*made, value])
