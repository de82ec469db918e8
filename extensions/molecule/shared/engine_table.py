"""Plays stories (story.py) that hold a real controller in a phase and ask every verb of the engine's table there.

It reads the table through the collection itself, so that what is expected is the data that the engine goes by. It judges nothing but
whether a phase was reached: table_judge.py does, from the cells in facts.json. Acts beside those of story.py:

    cells: PHASE     wait for the phase, then ask every verb: what changes nothing for real, what would act in check mode
    cell: VERB       give one verb that acts (full: promote to the end), in: PHASE, to: the phases it leads to;
                     goes_on: NAME lets it run on in the background, where a retry ends only with its release
    finished: NAME   wait for the end of such a one, and note what it answered
    live: PHASE      wait until the engine reads the phase
(with cells and cell: but: {verb: {kind, said}} where more than the phase decides, such as an open approval; image: what a rollback is to).
A phase may be written "Succeeded, ended": of a release whose record has ended, "Succeeded, forgotten": of one without a record.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "build" / "collections"))

import story
from ansible_collections.progressive.delivery.plugins.module_utils.cluster import lease
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import Session, connect
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import phase as argo_phase
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import table as argo_table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import canary, control
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import table as flagger_table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import DOES, Effect, refused
from ansible_collections.progressive.delivery.plugins.module_utils.release import record

JSON = dict[str, Any]
ENDED, FORGOTTEN = ", ended", ", forgotten"
NEW = "(new)"  # how the page writes Flagger's empty phase
POLL_SECONDS = 0.5
WAIT_SECONDS = 240.0  # times the stage's patience


class FlaggerTable:
    """The table of engine flagger, and the Canary that it speaks of."""

    asks = (*((verb, False) for verb in flagger_table.TABLE), ("promote", True))

    @staticmethod
    def effect(verb: str, phase: str, *, full: bool) -> Effect:
        """The cell; Flagger knows no promotion of one weight."""
        name = phase.removesuffix(ENDED)
        effect = flagger_table.effect_of(verb, "" if name == NEW else name, ended=phase.endswith(ENDED))
        is_one_weight = verb == "promote" and effect.kind == DOES and not full
        return refused("full: true, or nothing: Flagger cannot skip the rest of one weight") if is_one_weight else effect

    @staticmethod
    def read(session: Session, namespace: str, known: record.Record | None) -> tuple[str, JSON | None]:
        """Phase and object."""
        found = session.find("Canary", namespace, known.target["canary"] if known else "shop")
        here = canary.view(found)
        phase = here.phase if known is None else control.column(known, here)
        return phase or NEW, found

    @staticmethod
    def essence(found: JSON) -> JSON:
        """What no verb may change that says it changes nothing."""
        return {"annotations": found["metadata"].get("annotations"), "phase": (found.get("status") or {}).get("phase")}


class ArgoTable:
    """The table of engine argo_rollouts, and the Rollout that it speaks of."""

    asks = tuple((verb.removesuffix("_full"), verb.endswith("_full")) for verb in argo_table.VERBS)

    @staticmethod
    def effect(verb: str, phase: str, *, full: bool) -> Effect:
        """The cell; how a record stands is no matter."""
        return argo_table.effect_of(verb, phase.removesuffix(ENDED), full=full)

    @staticmethod
    def read(session: Session, namespace: str, known: record.Record | None) -> tuple[str, JSON | None]:
        """Phase and object."""
        found = session.find("Rollout", namespace, known.target["rollout"] if known else "shop")
        return argo_phase.phase_of(found), found

    @staticmethod
    def essence(found: JSON) -> JSON:
        """What no verb may change that says it changes nothing."""
        status = found.get("status") or {}
        return {"abort": status.get("abort"), "full": status.get("promoteFull"), "phase": argo_phase.phase_of(found)}


ENGINES = {"flagger": FlaggerTable, "argo_rollouts": ArgoTable}


class TableStory(story.Story):
    """A story whose acts ask verbs of the table, too."""

    def __init__(self, told: JSON, stage: JSON) -> None:
        super().__init__(told, stage)
        self.engine = ENGINES[self._variables(self.first)["release_engine"]]
        self.session = connect({"kubeconfig": str(stage["kubeconfig"])})
        self.waiting: dict[str, JSON] = {}
        self.asked = 0
        self.cells: list[JSON] = []

    def play(self) -> JSON:
        """As of every story, with the cells that were seen."""
        (self.folder / f"{self.first}.cells").unlink(missing_ok=True)
        return {**super().play(), "cells": self.cells}

    def look(self) -> JSON:
        """Where the release stands: its phase as the table calls it, and what must stay as it is."""
        known = record.load(self.session, self.first, self.release)
        phase, found = self.engine.read(self.session, self.first, known)
        workload = self.session.find("Deployment", self.first, self.service)
        essence = {**self.engine.essence(found), "spec": found["spec"]} if found else {}
        noted = known and [known.state.release_id, max([known.state.control.get("obeyed", 0), *(one["number"] for one in known.commands)])]
        return {
            "phase": phase + (FORGOTTEN if known is None else "" if known.unfinished else ENDED),
            "record": known.state.outcome or known.state.phase if known else "",
            "essence": json.dumps([essence, noted, known and known.abort, workload and workload["spec"]["template"]], sort_keys=True),
        }

    def _do_live(self, phase: str, extra: JSON) -> None:
        self._await([phase], extra)

    def _do_cells(self, phase: str, extra: JSON) -> None:
        before = self._await([phase], extra)
        asks = [self._ask(verb, phase, full=full, but=extra.get("but", {})) for verb, full in self.engine.asks]
        for one in asks:
            one["check"] = one["kind"] == DOES
        answers = self._answers(asks)
        after = self.look()
        seen = {
            "before": before["phase"],
            "after": after["phase"],
            "unchanged": before["essence"] == after["essence"],
            "record": after["record"],
        }
        for ask, answer in zip(asks, answers, strict=True):
            self._note({**ask, **seen, "answer": answer})

    def _do_cell(self, verb: str, extra: JSON) -> None:
        before = self._await([extra["in"]], extra)
        ask = {**self._ask(verb, extra["in"], full=extra.get("full", False), but=extra.get("but", {})), "check": False, "to": extra["to"]}
        ask |= {"image": extra["image"]} if "image" in extra else {}
        name = extra.get("goes_on")
        if name:
            self.waiting[name] = {"file": self._begin([ask], name), "ask": {**ask, "before": before["phase"], "unchanged": False}}
            self._until(lambda: self._is_held() or self.runners[name].has_ended(), f"{name} never held the release")
            self.waiting[name]["ask"]["after"] = self._await(extra["to"], extra)["phase"]
            return
        (answer,) = self._answers([ask])
        after = self._await(extra["to"], extra)
        changed = {"before": before["phase"], "after": after["phase"], "unchanged": before["essence"] == after["essence"]}
        self._note({**ask, **changed, "record": after["record"], "answer": answer})

    def _do_finished(self, name: str, extra: JSON) -> JSON:
        found = self.runners[name].finish(extra.get("within", 2 * self.wait))
        waited = self.waiting.pop(name)
        (answer,) = self._read(name, waited["file"])
        self._note({**waited["ask"], "record": self.look()["record"], "answer": answer})
        return found

    def _do_kill(self, name: str, extra: JSON) -> None:
        super()._do_kill(name, extra)
        self._until(lambda: not self._is_held(), f"{name} was killed, and still lives")
        if name in self.waiting:  # it began, and went on until now: its answer is what can be seen of it
            self._note({**self.waiting.pop(name)["ask"], "record": "killed", "answer": {"changed": True, "said": "killed while it ran"}})

    def _note(self, cell: JSON) -> None:
        self.cells.append(cell)
        with (self.folder / f"{self.first}.cells").open("a") as lines:  # for who looks while it plays, or after it broke off
            lines.write(json.dumps(cell) + "\n")

    def _ask(self, verb: str, phase: str, *, full: bool, but: JSON) -> JSON:
        effect = self.engine.effect(verb, phase, full=full)
        ask: JSON = {"command": verb, "phase": phase, "kind": effect.kind, "said": effect.said, "act": effect.act}
        if verb == "promote":
            ask["full"] = full
        return {**ask, **but.get(f"{verb}_full" if full else verb, {})}

    def _await(self, phases: list[str], extra: JSON) -> JSON:
        """The first look in one of the phases."""
        deadline = time.monotonic() + extra.get("within", WAIT_SECONDS) * self.patience
        while (found := self.look())["phase"] not in phases:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.first} never came to {' or '.join(phases)}: it is {found['phase']}, {found['record']}")
            time.sleep(POLL_SECONDS)
        return found

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + self.wait
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.first}: {otherwise}")
            time.sleep(POLL_SECONDS)

    def _is_held(self) -> bool:
        holders = [one["spec"].get("holderIdentity") or "" for one in self.session.list("Lease", self.first)]
        return any(holder and not lease.is_dead(holder) for holder in holders)

    def _answers(self, asks: list[JSON]) -> list[JSON]:
        self.asked += 1
        name = f"asked-{self.asked}"
        file = self._begin(asks, name)
        self.runners[name].finish(2 * self.wait)
        return self._read(name, file)

    def _begin(self, asks: list[JSON], name: str) -> Path:
        file = self.folder / f"{self.first}-{name}.answers.json"
        file.unlink(missing_ok=True)
        given = {"cells_asks": asks, "cells_file": str(file)}
        self._start(name, str(Path(__file__).parent / "playbooks" / "give_commands.yml"), ["-e", json.dumps(given)], {})
        return file

    def _read(self, name: str, file: Path) -> list[JSON]:
        if not file.exists():
            raise RuntimeError(f"nothing was answered: {self.runners[name].doing()}")
        return json.loads(file.read_text())


if __name__ == "__main__":
    raise SystemExit(story.main(TableStory))
