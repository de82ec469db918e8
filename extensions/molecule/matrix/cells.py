"""cells.py NAME...: the stories of the cells whose names hold one of these words, as JSON; "all" and "pairwise" are words, too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

JSON = dict[str, Any]
FOLDER = Path(__file__).resolve().parent
SHOP = "localhost/lab/shop"
PODS_SECONDS = 15  # until the pods' own counters have been read twice


@dataclass(frozen=True)
class Cell:
    """One strategy by one router with one version."""

    strategy: str
    router: str
    case: str

    def __str__(self) -> str:
        return f"{self.strategy} {self.router} {self.case}"

    @property
    def namespace(self) -> str:
        """The target that it is played in."""
        return f"t-matrix-{self}".replace(" ", "-").replace("_", "-")


def told() -> JSON:
    """What cells.yml says."""
    return yaml.safe_load((FOLDER / "cells.yml").read_text())


def cells(matrix: JSON) -> list[Cell]:
    """Every cell, in the order of the table."""
    return [Cell(name, router, case) for name, one in matrix["strategies"].items() for router in one["routers"] for case in matrix["cases"]]


def chosen(matrix: JSON, words: Iterable[str]) -> list[Cell]:
    """The cells that these words ask for. Raises ValueError for a word that asks for none."""
    every = cells(matrix)
    named = {"all": every, "pairwise": [Cell(*name.split()) for name in matrix["pairwise"]]}
    found: list[Cell] = []
    for word in words:
        fitting = named.get(word, [cell for cell in every if word in str(cell)])
        if not fitting:
            raise ValueError(f"{word!r} is in the name of no cell; they are: {', '.join(map(str, every))}")
        found += [cell for cell in fitting if cell not in found]
    return found


def story(matrix: JSON, cell: Cell) -> JSON:
    """How a cell is played; see shared/story.py."""
    strategy, router = matrix["strategies"][cell.strategy], matrix["routers"][cell.router]
    variables = {**matrix["vars"], **strategy["vars"], **router.get("vars", {}), "release_strategy": cell.strategy}
    if router["traffic"]:
        variables["release_traffic"] = router["traffic"]
    variables["release_image"] = f"{SHOP}:{matrix['cases'][cell.case]['version']}"
    acts = _injected(cell.namespace) if router.get("sidecars") else []
    acts += [{"pause": PODS_SECONDS}] if "pods" in (strategy.get("counted"), router.get("counted")) else []
    acts.append({"start": "release"})
    if cell.case == "fault":
        acts += [{"until": strategy["shared"], "label": "shared"}, {"pause": 1}, {"kill": "release"}, {"pause": 2}, {"start": "again"}]
    acts.append({"finish": "again" if cell.case == "fault" else "release", "label": "finish"})
    objects = {"routes": str(FOLDER / router["objects"])} if "objects" in router else {}
    return {"name": str(cell), "targets": {cell.namespace: {}}, "route": router["kind"], "vars": variables, "acts": acts, **objects}


def _injected(namespace: str) -> list[JSON]:
    """Give the shop's pods sidecars."""
    kubectl = ["kubectl", "-n", namespace]
    label = {"spec": {"template": {"metadata": {"labels": {"sidecar.istio.io/inject": "true"}}}}}
    patch = [*kubectl, "patch", "deployment", "shop", "-p", json.dumps(label)]
    whole = [*kubectl, "rollout", "status", "deployment/shop", "--timeout=100s"]
    return [{"run": patch, "label": "injected"}, {"run": whole, "label": "whole"}]


if __name__ == "__main__":
    described = told()
    print(json.dumps([story(described, cell) for cell in chosen(described, sys.argv[1:])]))
