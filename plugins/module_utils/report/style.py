# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page looks: its colours for light, dark and paper, and its rules. Pure."""

from __future__ import annotations

LIGHT = {
    "page": "#f5f5f2",
    "card": "#ffffff",
    "ink": "#1c2226",
    "soft": "#566068",
    "rule": "#d8dbd6",
    "link": "#0f4f9e",
    "new": "#1257a8",
    "new-area": "#dbe7f5",
    "old": "#626b72",
    "limit": "#b3261e",
    "good": "#17663a",
    "good-card": "#e2f2e7",
    "bad": "#a01c1c",
    "bad-card": "#fbe8e6",
    "wait": "#6f4500",
    "wait-card": "#fcefd5",
    "plain": "#3f4a52",
    "plain-card": "#e9ecee",
    "code": "#f0f1ee",
}
DARK = {
    "page": "#13171a",
    "card": "#1b2125",
    "ink": "#e8ecee",
    "soft": "#a9b3ba",
    "rule": "#394249",
    "link": "#8fc1ff",
    "new": "#7db7ff",
    "new-area": "#1d3350",
    "old": "#a3adb4",
    "limit": "#ff8f86",
    "good": "#86d9a5",
    "good-card": "#16311f",
    "bad": "#ffa69e",
    "bad-card": "#3c1c1b",
    "wait": "#f3c873",
    "wait-card": "#372a10",
    "plain": "#c3ccd2",
    "plain-card": "#2b3338",
    "code": "#12171a",
}
TEXT, SHAPE = 4.5, 3.0  # the least contrast of WCAG 2.2 AA: of text, and of what has to be told apart in a plot
PAIRS = (
    *((ink, ground, TEXT) for ink in ("ink", "soft", "link") for ground in ("page", "card")),
    *((word, f"{word}-card", TEXT) for word in ("good", "bad", "wait", "plain")),
    *((word, "card", TEXT) for word in ("new", "old", "limit", "good", "bad", "wait", "plain")),
    *((word, "new-area", SHAPE) for word in ("new", "good", "bad", "wait", "plain")),
    *(("card", word, TEXT) for word in ("good", "bad", "wait", "plain")),
    ("ink", "code", TEXT),
)
"""Which colours stand on which, and the least contrast between them."""

_RULES = """
* { box-sizing: border-box; }
html { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; color-scheme: light dark; }
body { margin: 0; background: var(--page); color: var(--ink); }
main, header, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1, h2, h3 { line-height: 1.2; margin: 0; font-weight: 650; }
h1 { font-size: 2rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px;
}
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }
.over { color: var(--soft); font-size: .875rem; margin: 0 0 .35rem; }
.title { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; }
.lead { font-size: 1.25rem; line-height: 1.45; margin: 1rem 0 .5rem; max-width: 60rem; text-wrap: balance; }
.soft, caption, .small { color: var(--soft); }
.small { font-size: .875rem; font-weight: 400; }
.badge-word {
  display: inline-block; font-size: .875rem; font-weight: 650; line-height: 1; padding: .4rem .7rem;
  border-radius: 1rem; white-space: nowrap;
}
.badge-word.good { color: var(--good); background: var(--good-card); }
.badge-word.bad { color: var(--bad); background: var(--bad-card); }
.badge-word.wait { color: var(--wait); background: var(--wait-card); }
.badge-word.plain { color: var(--plain); background: var(--plain-card); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: .75rem; padding: 1.5rem; margin: 1.5rem 0; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1rem 1.5rem; margin: 1.5rem 0 0;
  padding: 1.25rem 0 0; border-top: 1px solid var(--rule);
}
.figures div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.figures dt { color: var(--soft); font-size: .875rem; line-height: 1.35; }
.figures dd { margin: 0; font-size: 1.35rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1.25rem; margin: 1rem 0 0; font-size: .9375rem; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.contents { margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .9375rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .5rem; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .45rem 1rem .45rem 0; border-top: 1px solid var(--rule); }
thead th { border-top: 0; color: var(--soft); font-weight: 600; font-size: .8125rem; }
tbody th { font-weight: 600; white-space: nowrap; }
td.wide, th.wide { width: 60%; overflow-wrap: anywhere; }
td.time { white-space: nowrap; color: var(--soft); }
td.number, th.number { text-align: right; }
.matrix td, .matrix th { padding: .6rem .9rem; border: 1px solid var(--rule); }
.matrix .badge-word { margin-bottom: .3rem; }
.dot-number {
  display: inline-block; min-width: 1.5rem; padding: 0 .3rem; border-radius: .75rem; text-align: center;
  font-size: .8125rem; font-weight: 650; line-height: 1.5rem; color: var(--card); background: var(--plain);
}
.dot-number.good { background: var(--good); }
.dot-number.bad { background: var(--bad); }
.dot-number.wait { background: var(--wait); }
pre {
  background: var(--code); border: 1px solid var(--rule); border-radius: .5rem; padding: .75rem 1rem;
  margin: .35rem 0 1rem; overflow-x: auto; font-size: .875rem; line-height: 1.5;
}
code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .92em; }
summary { cursor: pointer; font-weight: 600; padding: .25rem 0; }
details { margin-top: 1.25rem; }
details table { margin-top: .5rem; font-size: .875rem; }
figure { margin: 1.5rem 0 0; }
figcaption { font-size: .9375rem; margin-bottom: .35rem; }
figcaption strong { font-weight: 650; }
.plot { display: block; width: 100%; min-width: 42rem; height: auto; }
.plot text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.plot .middle { text-anchor: middle; }
.plot .end { text-anchor: end; }
.plot .grid { stroke: var(--rule); stroke-width: 1; }
.plot .area { fill: var(--new-area); }
.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.plot .line.canary { stroke: var(--new); }
.plot .line.stable { stroke: var(--old); stroke-width: 1.75; stroke-dasharray: 1 4; }
.plot .line.limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 7 4; }
.plot .dot.canary { fill: var(--card); stroke: var(--new); stroke-width: 1.5; }
.plot .mark { stroke: var(--plain); stroke-width: 1.25; }
.plot .mark.good { stroke: var(--good); }
.plot .mark.bad { stroke: var(--bad); }
.plot .mark.wait { stroke: var(--wait); }
.plot .badge { fill: var(--plain); }
.plot .badge.good { fill: var(--good); }
.plot .badge.bad { fill: var(--bad); }
.plot .badge.wait { fill: var(--wait); }
.plot text.number { fill: var(--card); font-weight: 650; font-size: 11px; }
.plot text.label.new { fill: var(--new); font-weight: 650; }
.plot text.label.stable { fill: var(--old); }
.plot text.label.limit { fill: var(--limit); }
.plot text.note { font-weight: 650; fill: var(--plain); paint-order: stroke; stroke: var(--card); stroke-width: 4px; }
.plot text.note.good { fill: var(--good); }
.plot text.note.bad { fill: var(--bad); }
.plot text.note.wait { fill: var(--wait); }
footer { color: var(--soft); font-size: .875rem; padding-bottom: 3rem; }
@media (max-width: 40rem) {
  main, header, footer { padding-left: 1rem; padding-right: 1rem; }
  section { padding: 1rem; }
  .facts { grid-template-columns: 1fr; }
}
@media print {
  html { font-size: 11px; }
  body { background: none; }
  main, header, footer { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid var(--rule); border-radius: 0; padding: 1rem 0; margin: 0; }
  figure, tr, pre, .figures { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  details, nav, .skip { display: none; }
  .scroll { overflow: visible; }
  .plot { min-width: 0; }
  pre { white-space: pre-wrap; }
  .badge-word, .dot-number, .plot { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def sheet() -> str:
    """The page's style: the colours as variables, dark where the reader prefers it and never on paper; then the rules."""
    return f":root {{ {_variables(LIGHT)} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}{_RULES}"


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
