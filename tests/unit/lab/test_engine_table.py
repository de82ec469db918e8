"""The stories that ask every verb in every phase of a live controller: whether they reach each cell, and whether a wrong one is told."""

from __future__ import annotations

import copy
import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[3]
MOLECULE = REPOSITORY / "extensions" / "molecule"
collections = REPOSITORY / "build" / "collections" / "ansible_collections" / "progressive"
collections.mkdir(parents=True, exist_ok=True)
if not os.path.lexists(collections / "delivery"):
    (collections / "delivery").symlink_to(REPOSITORY)
sys.path.insert(0, str(MOLECULE / "shared"))

import engine_table
import table_judge

SCENARIOS = {"flagger": "engine_flagger", "argo_rollouts": "engine_argo"}
JSON = dict[str, Any]


@functools.cache
def plan_of(engine: str) -> JSON:
    return yaml.safe_load((MOLECULE / SCENARIOS[engine] / "vars" / "table.yml").read_text())


def acts_of(engine: str) -> list[JSON]:
    plan = plan_of(engine)
    return [act for one in [*plan["table_stories"], *plan["table_away"]] for act in one["acts"]]


def phase_in_table(engine: str, phase: str) -> str:
    return phase.removesuffix(engine_table.ENDED) if engine == "argo_rollouts" else phase


def asked_as(engine: str, phase: str, row: str) -> str:
    """The kind of the cell as a story's act cells asks it, with what it excepts."""
    verb, full = row.removesuffix(" --full"), row.endswith(" --full")
    buts = [act.get("but", {}) for act in acts_of(engine) if phase_in_table(engine, act.get("cells", "")) == phase]
    excepted = all(f"{verb}_full" in but if full else verb in but for but in buts)
    return "excepted" if excepted else engine_table.ENGINES[engine].effect(verb, phase, full=full).kind


@pytest.mark.parametrize("engine", SCENARIOS)
def test_the_stories_reach_every_phase_that_is_not_excused_and_do_every_verb_that_acts_there(engine: str) -> None:
    plan, acts = plan_of(engine), acts_of(engine)
    reached = {phase_in_table(engine, act["cells"]) for act in acts if "cells" in act}
    assert reached.isdisjoint(plan["table_unreached"])
    assert reached | set(plan["table_unreached"]) == set(table_judge.phases_of(engine))
    done = {(phase_in_table(engine, act["in"]), table_judge.verb_of({**act, "command": act["cell"]})) for act in acts if "cell" in act}
    rows = table_judge.verbs_of(engine)
    acting = {(phase, row) for phase in reached for row in rows if asked_as(engine, phase, row) == "does"}
    assert acting - done == {tuple(reversed(one.split(" in ", 1))) for one in plan["table_checked"]}


def seen(engine: str) -> JSON:
    """What a controller would show that does as the table says: every cell of every phase, done for real."""
    cells = []
    for phase in table_judge.phases_of(engine):
        for verb, full in engine_table.ENGINES[engine].asks:
            effect = engine_table.ENGINES[engine].effect(verb, phase, full=full)
            does, refused = effect.kind == "does", effect.kind == "refused"
            answer = {"failed": refused, "changed": does, "msg" if refused else "said": f"told: {effect.said}"}
            cell = {"command": verb, "full": full, "phase": phase, "kind": effect.kind, "said": effect.said, "act": effect.act}
            cells.append({**cell, "check": False, "before": phase, "after": phase, "unchanged": not does, "answer": answer})
    story = {"name": "one", "error": "", "targets": {"eu": {"load": {"failed": 0, "versions": {}}}}, "cells": cells}
    return {"stories": [story]}


def judged(engine: str, facts: JSON, tmp_path: Path, **excuses: Any) -> tuple[int, str]:
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(facts))
    plan = {"unreached": {}, "checked": {}, "dark": [], **excuses}
    code = table_judge.main(engine, str(file), json.dumps(plan), str(tmp_path / "table.md"))
    return code, (tmp_path / "table.md").read_text()


@pytest.mark.parametrize("engine", SCENARIOS)
def test_what_is_as_the_table_says_is_shown_whole(engine: str, tmp_path: Path) -> None:
    code, page = judged(engine, seen(engine), tmp_path)
    assert (code, "Every cell is as the table says" in page, "**" in page) == (0, True, False)


WRONG: dict[str, tuple[str, JSON]] = {
    "failed": ("nothing", {"answer": {"failed": True, "changed": False, "msg": "x"}}),
    "did not fail": ("refused", {"answer": {"failed": False, "changed": False, "said": "x"}}),
    "changed is True": ("nothing", {"answer": {"failed": False, "changed": True, "said": "x"}}),
    "changed is False": ("does", {"answer": {"failed": False, "changed": False, "said": "x"}}),
    "instead of": ("refused", {"answer": {"failed": True, "changed": False, "msg": "something else"}}),
    "something changed": ("refused", {"unchanged": False}),
    "went from": ("nothing", {"after": "elsewhere"}),
    "only asked in check mode": ("does", {"check": True, "unchanged": True}),
}


@pytest.mark.parametrize("word", WRONG)
@pytest.mark.parametrize("engine", SCENARIOS)
def test_a_cell_that_is_otherwise_is_told(engine: str, word: str, tmp_path: Path) -> None:
    kind, change = WRONG[word]
    facts = seen(engine)
    next(one for one in facts["stories"][0]["cells"] if one["kind"] == kind).update(copy.deepcopy(change))
    code, page = judged(engine, facts, tmp_path)
    assert (code, word in page) == (1, True)


def test_a_cell_that_nobody_asked_an_excuse_too_many_and_a_failed_request_are_told(tmp_path: Path) -> None:
    facts = seen("flagger")
    gone = facts["stories"][0]["cells"].pop()
    code, page = judged("flagger", facts, tmp_path)
    assert (code, f"{table_judge.verb_of(gone)} in {gone['phase']}: never asked" in page) == (1, True)
    code, page = judged("flagger", seen("flagger"), tmp_path, unreached={"Waiting": "no reason"})
    assert (code, "Waiting: was reached, and is excused" in page) == (1, True)
    facts = seen("flagger")
    load = facts["stories"][0]["targets"]["eu"]["load"]
    load.update(failed=3, versions={"1.3.0-errors": {"failed": 3}})
    assert judged("flagger", facts, tmp_path)[0] == 0
    load.update(failed=4)
    assert "1 requests to eu failed" in judged("flagger", facts, tmp_path)[1]
