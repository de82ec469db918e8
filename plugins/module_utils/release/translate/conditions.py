# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of Argo's metrics (successCondition, failureCondition) as limits of a query. Pure.

What is read: result, result[0], asFloat(result), asInt(result) and default(result, 0), compared with numbers by < <= > >= == !=;
isNaN, isInf, isNil and len(result) as guards; and, or, not, parentheses. A condition is the set of numbers for which it holds.
Guards speak of answers that are no number; of numbers they hold always or never. A look without a number is never a pass here.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

Interval = tuple[float, float]  # both ends belong to it
INFINITE: tuple[Interval, ...] = ((-math.inf, math.inf),)
TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|([A-Za-z_]\w*)|(&&|\|\||[<>=!]=|[<>!(),\[\]-]))")
FORMS = (
    "a comparison of result or result[0] with a number, such as result[0] >= 0.95, with asFloat(...), default(result, 0), isNaN(result), "
    "isInf(result), isNil(result), len(result) > 0, and, or and parentheses around it"
)


class Unreadable(ValueError):
    """A condition that is none of the forms; the message says where it stops."""


@dataclass(frozen=True)
class Numbers:
    """The numbers for which a condition holds. default: what stands for no answer; guards: whether it speaks of answers that are no number."""

    intervals: tuple[Interval, ...]
    default: float | None = None
    guards: bool = False


@dataclass(frozen=True)
class Limits:
    """What a query's answer may be; between least and fails_below, and most and fails_above, it is neither passed nor failed."""

    least: float | None
    most: float | None
    fails_below: float | None
    fails_above: float | None
    default: float | None
    guards: bool


def limits(success: str | None, failure: str | None) -> Limits:
    """The limits of a metric: what is no success fails, what is no failure succeeds, and with both what is neither is neither.

    Raises Unreadable.
    """
    good, bad = (read(text) if text else None for text in (success, failure))
    if good is None and bad is None:
        raise Unreadable("is required, or failureCondition: without either every answer is a success")
    passes = INFINITE if good is None else good.intervals
    fails = () if bad is None else bad.intervals
    passes = _meet(passes, complement(fails))
    if len(passes) != 1 or passes == INFINITE:
        raise Unreadable(f"succeeds for {_said(passes)}; one range of numbers with an end can be a limit")
    (least, most) = passes[0]
    either = complement((*passes, *fails)) if good is not None and bad is not None else ()
    ends = {"fails_below": _end(either, least, below=True), "fails_above": _end(either, most, below=False)}
    found = [one for one in (good, bad) if one is not None]
    defaults = {one.default for one in found if one.default is not None}
    if len(defaults) > 1:
        raise Unreadable("has two defaults")
    return Limits(
        least=None if math.isinf(least) else least,
        most=None if math.isinf(most) else most,
        default=next(iter(defaults), None),
        guards=any(one.guards for one in found),
        **ends,
    )


def _end(either: tuple[Interval, ...], limit: float, *, below: bool) -> float | None:
    """Where failing begins beyond a limit; None when it begins at the limit itself."""
    if math.isinf(limit):
        return None
    beyond = math.nextafter(limit, -math.inf if below else math.inf)
    for low, high in either:
        if low <= beyond <= high:
            edge = low if below else high
            if math.isinf(edge):
                raise Unreadable(f"never fails {'below' if below else 'above'} {limit:g}; failureCondition must say where it does")
            return edge
    return None


def read(text: str) -> Numbers:
    """The numbers for which a condition holds. Raises Unreadable."""
    reader = _Reader(_tokens(text))
    found = reader.any_of()
    if reader.rest:
        raise Unreadable(f"stops being read at {reader.rest[0]!r}")
    return found


def complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """All other numbers."""
    made, start = [], -math.inf
    for low, high in _joined(intervals):
        if low > start:
            made.append((start, math.nextafter(low, -math.inf)))
        if math.isinf(high):
            return tuple(made)
        start = math.nextafter(high, math.inf)
    return (*made, (start, math.inf))


def _joined(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    made: list[Interval] = []
    for low, high in sorted(intervals):
        if made and low <= math.nextafter(made[-1][1], math.inf):
            made[-1] = (made[-1][0], max(high, made[-1][1]))
        else:
            made.append((low, high))
    return tuple(made)


def _meet(one: tuple[Interval, ...], other: tuple[Interval, ...]) -> tuple[Interval, ...]:
    pairs = [(max(a, c), min(b, d)) for a, b in one for c, d in other]
    return _joined(tuple((low, high) for low, high in pairs if low <= high))


def _holds(sign: str, number: float) -> tuple[Interval, ...]:
    """The numbers that compare so with number. Raises Unreadable."""
    under, over = math.nextafter(number, -math.inf), math.nextafter(number, math.inf)
    found: dict[str, tuple[Interval, ...]] = {
        "<": ((-math.inf, under),),
        "<=": ((-math.inf, number),),
        ">": ((over, math.inf),),
        ">=": ((number, math.inf),),
        "==": ((number, number),),
        "!=": ((-math.inf, under), (over, math.inf)),
    }
    if sign not in found:
        raise Unreadable(f"stops being read at {sign!r}")
    return found[sign]


def _said(intervals: tuple[Interval, ...]) -> str:
    return " and ".join(f"{low:g} to {high:g}" for low, high in intervals) or "no number"


def _tokens(text: str) -> list[str]:
    made, at = [], 0
    text = text.strip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            raise Unreadable(f"stops being read at {text[at : at + 20]!r}")
        made.append(found.group().strip())
        at = found.end()
    return made


class _Reader:
    """Recursive descent over the tokens of one condition."""

    def __init__(self, tokens: list[str]) -> None:
        self.rest = tokens

    def any_of(self) -> Numbers:
        found = self.all_of()
        while self._takes("||", "or"):
            found = self._with(found, self.all_of(), either=True)
        return found

    def all_of(self) -> Numbers:
        found = self.one()
        while self._takes("&&", "and"):
            found = self._with(found, self.one(), either=False)
        return found

    def one(self) -> Numbers:
        if self._takes("!", "not"):
            found = self.one()
            return Numbers(complement(found.intervals), found.default, found.guards)
        if self._takes("("):
            found = self.any_of()
            self._expect(")")
            return found
        if self.rest and self.rest[0] in ("isNaN", "isInf", "isNil"):
            self._next()
            self._expect("(")
            self._value()
            self._expect(")")
            return Numbers((), guards=True)
        if self.rest and self.rest[0] == "len":
            return self._length()
        return self._comparison()

    def _length(self) -> Numbers:
        """An answer that is one number has one element."""
        for token in ("len", "(", "result", ")"):
            self._expect(token)
        found = _holds(self._next(), self._number())
        return Numbers(INFINITE if any(low <= 1 <= high for low, high in found) else (), guards=True)

    def _comparison(self) -> Numbers:
        """A value with a number, on whichever side."""
        if self.rest and (self.rest[0] == "-" or self.rest[0][0].isdigit()):
            number, sign = self._number(), self._next()
            default = self._value()
            sign = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
        else:
            default, sign, number = self._value(), self._next(), self._number()
        return Numbers(_holds(sign, number), default)

    def _value(self) -> float | None:
        """result in one of its forms; gives back what stands for no answer."""
        name = self._next()
        if name == "result":
            if self._takes("["):
                self._expect("0")
                self._expect("]")
            return None
        if name in ("asFloat", "asInt"):
            self._expect("(")
            default = self._value()
            self._expect(")")
            return default
        if name == "default":
            self._expect("(")
            self._value()
            self._expect(",")
            number = self._number()
            self._expect(")")
            return number
        raise Unreadable(f"stops being read at {name!r}")

    def _number(self) -> float:
        sign = -1.0 if self._takes("-") else 1.0
        token = self._next()
        try:
            return sign * float(token)
        except ValueError:
            raise Unreadable(f"compares with {token!r}, which is no number") from None

    def _with(self, one: Numbers, other: Numbers, *, either: bool) -> Numbers:
        """Both joined."""
        defaults = {found.default for found in (one, other) if found.default is not None}
        if len(defaults) > 1:
            raise Unreadable("has two defaults")
        intervals = _joined((*one.intervals, *other.intervals)) if either else _meet(one.intervals, other.intervals)
        return Numbers(intervals, next(iter(defaults), None), one.guards or other.guards)

    def _takes(self, *tokens: str) -> bool:
        if self.rest and self.rest[0] in tokens:
            self.rest = self.rest[1:]
            return True
        return False

    def _next(self) -> str:
        if not self.rest:
            raise Unreadable("ends too early")
        token, self.rest = self.rest[0], self.rest[1:]
        return token

    def _expect(self, wanted: str) -> None:
        token = self._next()
        if token != wanted:
            raise Unreadable(f"has {token!r} where {wanted!r} is read")
