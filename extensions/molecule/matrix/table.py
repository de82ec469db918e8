"""table.py FACTS OUT CELL...: judge the cells that were to be played; write OUT/matrix.json and OUT/matrix.md, print the table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cells import SHOP, Cell, chosen, told

JSON = dict[str, Any]
STABLE = "1.0.0"
LEAST_REQUESTS = 100
HEAD = "| strategy | router | case | outcome | failed requests | failed by the tool | seconds | |\n|---|---|---|---|---|---|---|---|\n"


def row(matrix: JSON, cell: Cell, story: JSON | None) -> JSON:
    """One line of the table. wrong: why it is red; failed_by_tool: requests that failed and were not answered by the bad version."""
    found = {"strategy": cell.strategy, "router": cell.router, "case": cell.case, "real_traffic": True}
    nothing = {"outcome": "", "requests": 0, "failed": 0, "failed_by_tool": 0, "seconds": 0.0}
    if story is None:
        return {**found, **nothing, "wrong": ["it was not played"]}
    target = story["targets"][cell.namespace]
    load = target["load"]
    if story["error"] or not load:
        return {**found, **nothing, "wrong": [f"it broke off: {story['error'].strip().splitlines()[-1] if story['error'] else 'no load'}"]}
    return {
        **found,
        "outcome": target["record"].get("outcome", "none"),
        "requests": load["requests"],
        "failed": load["failed"],
        "failed_by_tool": _by_tool(matrix, cell, load),
        "seconds": round(story["acts"]["finish"]["ended"] - story["acts"]["start release"]["began"], 1),
        "wrong": list(_wrong(matrix, cell, story, target)),
    }


def _by_tool(matrix: JSON, cell: Cell, load: JSON) -> int:
    """A version without fault fails nothing by itself."""
    version = matrix["cases"][cell.case]["version"]
    return load["failed"] - (load["versions"].get(version, {"failed": 0})["failed"] if cell.case == "bad" else 0)


def _wrong(matrix: JSON, cell: Cell, story: JSON, target: JSON) -> Iterator[str]:
    strategy, version = matrix["strategies"][cell.strategy], matrix["cases"][cell.case]["version"]
    load, record = target["load"], target["record"]
    expected = "rolled_back" if cell.case == "bad" else strategy["ends"]
    serves = f"{SHOP}:{version if expected == 'promoted' else STABLE}"
    answers = load["versions"].get(version, {"answers": 0, "failed": 0})
    facts = {
        f"outcome {record.get('outcome')}, not {expected}: {record.get('reason')}": record.get("outcome") == expected,
        f"phase {record.get('phase')} at {record.get('weight_percent')} %": record.get("phase") == "ended" and not record["weight_percent"],
        f"stable runs {target['image']}, not {serves}": target["image"] == serves,
        f"{target['ready']} of {target['replicas']} pods are ready": target["ready"] == target["replicas"] == target["updated"],
        f"left behind: {target['leftovers']}": not target["leftovers"],
        "the route is not what it was": target["route_as_before"],
        f"{load['requests']} requests are too few": load["requests"] >= LEAST_REQUESTS,
        f"failures that the version did not cause: {load['failures'][:3]}": _by_tool(matrix, cell, load) == 0,
        f"{version} answered {answers['answers']} clients": (answers["answers"] > 0) == strategy["sees"],
    }
    if cell.case == "bad":
        facts["the bad version failed no request"] = (answers["failed"] > 0) == strategy["sees"]
    if cell.case == "fault":
        facts["the next run did not resume the release"] = "resume" in story["acts"]["finish"]["output"] and record.get("history") == []
    yield from (text for text, holds in facts.items() if not holds)


def unplayed(matrix: JSON) -> list[JSON]:
    """The cells that no real traffic follows, each with what is seen instead."""
    named = [(name.split(), group["why"]) for group in matrix["unplayed"] for name in group["cells"]]
    return [{"strategy": strategy, "router": router, "real_traffic": False, "why": why} for (strategy, router), why in named]


def markdown(rows: list[JSON], without: list[JSON]) -> str:
    """The table."""
    lines = [
        f"| {one['strategy']} | {one['router']} | {one['case']} | {one['outcome']} | {one['failed']} of {one['requests']} "
        f"| {one['failed_by_tool']} | {one['seconds']:.0f} | {'RED: ' + '; '.join(one['wrong']) if one['wrong'] else 'green'} |"
        for one in rows
    ]
    lines += [f"| {one['strategy']} | {one['router']} | – | no real traffic | – | – | – | {one['why']} |" for one in without]
    green = sum(not one["wrong"] for one in rows)
    return HEAD + "\n".join(lines) + f"\n\n{green} of {len(rows)} played cells are green.\n"


def main(facts: str, out: str, *words: str) -> int:
    """Judge; verify.yml fails where a cell is red."""
    matrix, folder = told(), Path(out)
    stories = {one["name"]: one for one in json.loads(Path(facts).read_text())["stories"]} if Path(facts).exists() else {}
    rows, without = [row(matrix, cell, stories.get(str(cell))) for cell in chosen(matrix, words)], unplayed(matrix)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matrix.json").write_text(json.dumps({"cells": rows, "unplayed": without}, indent=1) + "\n")
    (folder / "matrix.md").write_text(markdown(rows, without))
    print(markdown(rows, without))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
