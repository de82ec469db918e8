"""The matrix of strategies and routers: which cells there are, and when a cell is red."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest

MATRIX = Path(__file__).resolve().parents[3] / "extensions" / "molecule" / "matrix"
sys.path.insert(0, str(MATRIX))

import cells
import table
from cells import Cell

TOLD = cells.told()
ALL = cells.cells(TOLD)
# (strategy, router, case) that the scenarios routers, strategies, canary_istio and resume play
ELSEWHERE = {
    ("canary", "gateway", "good"), ("blue_green", "service", "good"), ("shadow", "istio", "good"), ("ab_test", "istio", "good"),
    ("blue_green", "istio", "good"), ("blue_green", "istio", "bad"), ("blue_green", "istio", "fault"), ("rolling", "none", "good"),
    ("rolling", "none", "bad"), ("canary", "istio", "good"), ("canary", "istio", "bad"), ("canary", "istio", "fault"),
}  # fmt: skip


def test_every_strategy_meets_every_router_that_can_do_it_with_every_case() -> None:
    assert len(ALL) == len(set(ALL)) == 60
    pairs = {(cell.strategy, cell.router) for cell in ALL}
    assert {(strategy, router) for strategy, router in pairs if router in ("istio", "gateway", "mesh")} == set(
        product(("canary", "blue_green", "ab_test", "shadow"), ("istio", "gateway", "mesh"))
    )
    assert {("canary", "sidecars"), ("blue_green", "service"), ("rolling", "none")} <= pairs
    assert {cell.case for cell in ALL} == {"good", "bad", "fault"}


def test_the_selection_of_make_test_and_the_other_scenarios_play_almost_every_pair() -> None:
    selected = {(one.strategy, one.router, one.case) for one in cells.chosen(TOLD, ["pairwise"])}
    assert len(selected) == len(TOLD["pairwise"])
    assert selected <= {(one.strategy, one.router, one.case) for one in ALL}
    assert not selected & ELSEWHERE
    assert _pairs(selected | ELSEWHERE) >= _pairs((one.strategy, one.router, one.case) for one in ALL) - {
        ("service", "bad"), ("linkerd", "bad"), ("sidecars", "bad"), ("sidecars", "fault"), ("mesh", "good"),
        ("shadow", "fault"), ("blue_green", "mesh"), ("shadow", "mesh"),
    }  # fmt: skip


def _pairs(triples: Iterable[tuple[str, str, str]]) -> set[tuple[str, str]]:
    return {pair for triple in triples for pair in combinations(triple, 2)}


def test_words_choose_cells_by_their_names_each_once() -> None:
    assert [str(one) for one in cells.chosen(TOLD, ["sidecars bad", "sidecars"])] == [
        "canary sidecars bad",
        "canary sidecars good",
        "canary sidecars fault",
    ]
    assert cells.chosen(TOLD, ["all"]) == ALL
    with pytest.raises(ValueError, match="'nginx' is in the name of no cell"):
        cells.chosen(TOLD, ["nginx"])


@pytest.mark.parametrize("cell", ALL, ids=str)
def test_a_story_has_a_target_of_its_own_and_files_that_exist(cell: Cell) -> None:
    story = cells.story(TOLD, cell)
    assert list(story["targets"]) == [cell.namespace]
    assert len(cell.namespace) <= 40
    assert story["vars"]["release_strategy"] == cell.strategy
    assert ("release_traffic" in story["vars"]) and (story["vars"]["release_traffic"] is None) == (cell.strategy == "rolling")
    assert "routes" not in story or Path(story["routes"]).is_file()
    assert [act["kill"] for act in story["acts"] if "kill" in act] == (["release"] if cell.case == "fault" else [])


def played(cell: Cell) -> dict[str, Any]:
    """The facts of a cell that is green."""
    strategy = TOLD["strategies"][cell.strategy]
    version, bad = TOLD["cases"][cell.case]["version"], cell.case == "bad"
    promoted = strategy["ends"] == "promoted" and not bad
    failed = 7 if bad and strategy["sees"] else 0
    versions = {"1.0.0": {"answers": 900, "failed": 0}, **({version: {"answers": 100, "failed": failed}} if strategy["sees"] else {})}
    target = {
        "image": f"{cells.SHOP}:{version if promoted else '1.0.0'}",
        "replicas": 2,
        "ready": 2,
        "updated": 2,
        "leftovers": [],
        "route_as_before": True,
        "record": {
            "phase": "ended", "outcome": "rolled_back" if bad else strategy["ends"], "weight_percent": 0, "history": [], "reason": "why",
        },
        "load": {"requests": 1000, "failed": failed, "failures": [], "versions": versions},
    }  # fmt: skip
    acts = {"start release": {"began": 10.0}, "finish": {"ended": 52.3, "output": "resume"}}
    return {"name": str(cell), "error": "", "acts": acts, "targets": {cell.namespace: target}}


@pytest.mark.parametrize("cell", ALL, ids=str)
def test_what_ends_as_it_should_is_green(cell: Cell) -> None:
    row = table.row(TOLD, cell, played(cell))
    assert row["wrong"] == []
    assert (row["seconds"], row["failed_by_tool"], row["requests"]) == (42.3, 0, 1000)
    assert row["failed"] == (7 if cell.case == "bad" and cell.strategy != "shadow" else 0)


CANARY = Cell("canary", "istio", "good")
WRONG = {
    "outcome rolled_back, not promoted": (CANARY, ("record", "outcome"), "rolled_back"),
    "phase parked": (CANARY, ("record", "phase"), "parked"),
    "phase ended at 50 %": (CANARY, ("record", "weight_percent"), 50),
    "stable runs": (CANARY, ("image",), f"{cells.SHOP}:1.0.0"),
    "1 of 2 pods": (CANARY, ("ready",), 1),
    "left behind": (CANARY, ("leftovers",), ["Lease/x"]),
    "the route is not": (CANARY, ("route_as_before",), False),
    "too few": (CANARY, ("load", "requests"), 3),
    "failures that the version did not cause": (CANARY, ("load", "failed"), 1),
    "1.1.0 answered 0 clients": (CANARY, ("load", "versions"), {"1.0.0": {"answers": 900, "failed": 0}}),
    "1.1.0 answered 4 clients": (Cell("shadow", "istio", "good"), ("load", "versions"), {"1.1.0": {"answers": 4, "failed": 0}}),
    "did not resume": (Cell("canary", "istio", "fault"), ("record", "history"), ["another"]),
    "the bad version failed no request": (
        Cell("canary", "istio", "bad"), ("load",),
        {"requests": 900, "failed": 0, "failures": [], "versions": {"1.6.0-broken": {"answers": 9, "failed": 0}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("said", "wrong"), WRONG.items(), ids=WRONG)
def test_each_fault_makes_a_cell_red_and_is_named(said: str, wrong: tuple[Cell, tuple[str, ...], Any]) -> None:
    cell, path, value = wrong
    story = copy.deepcopy(played(cell))
    part = story["targets"][cell.namespace]
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    found = table.row(TOLD, cell, story)["wrong"]
    assert len(found) == 1 and said in found[0], found


def test_a_failure_of_somebody_else_counts_against_the_tool_although_the_version_is_bad() -> None:
    cell = Cell("canary", "istio", "bad")
    story = played(cell)
    story["targets"][cell.namespace]["load"]["failed"] = 9
    row = table.row(TOLD, cell, story)
    assert (row["failed"], row["failed_by_tool"]) == (9, 2)
    assert "did not cause" in row["wrong"][0]


def test_cells_that_broke_off_or_were_not_played_are_red_and_the_table_names_what_no_traffic_follows() -> None:
    broken = {**played(CANARY), "error": "Traceback\nTimeoutError: never came"}
    rows = [table.row(TOLD, CANARY, broken), table.row(TOLD, CANARY, None), table.row(TOLD, CANARY, played(CANARY))]
    text = table.markdown(rows, table.unplayed(TOLD))
    assert "RED: it broke off: TimeoutError: never came" in text
    assert "RED: it was not played" in text
    assert "1 of 3 played cells are green" in text
    assert "| canary | linkerd_itself | – | no real traffic |" in text
