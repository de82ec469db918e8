"""table_judge.py ENGINE FACTS PLAN TABLE: compare what a live controller showed with the engine's table; write both as TABLE, a Markdown page.

FACTS are files that engine_table.py left, with commas between them. PLAN (JSON) excuses: unreached, a mapping of phases that no story
holds still to the reason; checked, one of "verb in phase" to the reason why it was asked in check mode alone; dark, the stories whose
users may get no answer. Exit code 1, and the differences on standard error, when a cell is another than the table says, when one was not
asked that is not excused, or when one is excused that was.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine_table import ENDED, ENGINES, NEW

from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import table as flagger_table  # isort: skip
from ansible_collections.progressive.delivery.plugins.module_utils.engine.argo import table as argo_table  # isort: skip

JSON = dict[str, Any]
BAD = "-errors"  # how a version is called that answers with errors
RUNS = ("start", "release_earlier", "run", "rollback")  # acts that run a release, whose answer is the release's


def verb_of(cell: JSON) -> str:
    """The row of the table."""
    return f"{cell['command']} --full" if cell.get("full") else str(cell["command"])


def verbs_of(engine: str) -> list[str]:
    """The rows of the table."""
    return [verb_of({"command": verb, "full": full}) for verb, full in ENGINES[engine].asks]


def phases_of(engine: str) -> list[str]:
    """Its columns; to Argo's table it is no matter how the record stands."""
    if engine != "flagger":
        return list(argo_table.PHASES)
    names = [phase or NEW for phase in flagger_table.PHASES]
    return [*names, *(name + ENDED for name in names)]


def wrong(cell: JSON) -> list[str]:
    """What of a cell is not as the table says."""
    answer, found = cell["answer"], []
    told = f"{answer.get('said') or ''} {answer.get('msg') or ''} {answer.get('reason') or ''}"
    failed, changed = bool(answer.get("failed")), bool(answer.get("changed"))
    runs = cell["act"] in RUNS and cell["kind"] == "does"
    if failed != (cell["kind"] == "refused"):
        found.append(f"{'failed' if failed else 'did not fail'}: {told.strip()}")
    if changed != (cell["kind"] == "does") and not (runs and cell["check"]):
        found.append(f"changed is {changed}: {told.strip()}")
    if not runs and cell["said"] not in told:
        found.append(f"says {told.strip()!r} instead of {cell['said']!r}")
    if (cell["check"] or cell["kind"] != "does") and not cell["unchanged"]:
        found.append("something changed in the cluster")
    if not cell["check"] and "to" not in cell and cell["after"] != cell["before"]:
        found.append(f"went from {cell['before']} to {cell['after']}")
    return found


def of_story(story: JSON, plan: JSON) -> list[str]:
    """What went wrong beside the cells: a story that broke off, requests that failed though no bad version answered them."""
    found = [f"{story['name']} broke off: {story['error']}"] if story["error"] else []
    for target, facts in story["targets"].items():
        versions = (facts["load"] or {}).get("versions", {})
        failed = (facts["load"] or {}).get("failed", 0) - sum(one["failed"] for name, one in versions.items() if name.endswith(BAD))
        if failed and story["name"] not in plan["dark"]:
            found.append(f"{story['name']}: {failed} requests to {target} failed")
    return found


def told(cells: list[JSON]) -> str:
    """A field of the page: the kind, and whether it was done or only asked."""
    if not cells:
        return ""
    kinds = sorted({one["kind"] for one in cells})
    acted = [one for one in cells if one["kind"] == "does" and not one["check"]]
    leads = sorted({one["after"] for one in acted})
    text = ", ".join(kind for kind in kinds if kind != "does" or not acted)
    text = ", ".join(filter(None, [text.replace("does", "does (asked)"), f"→ {' / '.join(leads)}" if acted else ""]))
    return f"**{text}**" if any(wrong(one) for one in cells) else text


def page(cells: list[JSON], phases: list[str], verbs: list[str], differences: list[str], plan: JSON) -> str:
    """The page."""
    rows = [
        "# What each verb did in each phase of a live controller",
        "",
        f"| phase | {' | '.join(verbs)} |",
        "|---" * (len(verbs) + 1) + "|",
    ]
    for phase in phases:
        fields = [told([one for one in cells if one["phase"] == phase and verb_of(one) == verb]) for verb in verbs]
        rows.append(f"| {phase} | {' | '.join(fields)} |" if any(fields) else f"| {phase} | {plan['unreached'].get(phase, '')} |")
    rows += ["", "`→`: done for real, and where it led. `does (asked)`: asked in check mode alone.", ""]
    rows += [f"- {one}" for one in differences] or ["Every cell is as the table says."]
    rows += ["", "| phase | verb | answered |", "|---|---|---|"]
    for one in cells:
        said = one["answer"].get("said") or one["answer"].get("msg") or one["answer"].get("reason") or ""
        how = " (check mode)" if one["check"] else ""
        rows.append(f"| {one['phase']} | {verb_of(one)}{how} | {' '.join(said.split())} |".replace("\\n", " "))
    return "\n".join(rows) + "\n"


def main(engine: str, facts: str, plan_text: str, target: str) -> int:
    plan = json.loads(plan_text)
    stories = [one for path in facts.split(",") for one in json.loads(Path(path).read_text())["stories"]]
    cells = [cell for one in stories for cell in one["cells"]]
    verbs, phases = verbs_of(engine), phases_of(engine)
    for one in cells:
        one["phase"] = one["phase"] if one["phase"] in phases else one["phase"].removesuffix(ENDED)
    asked = {(one["phase"], verb_of(one)) for one in cells}
    acted = {(one["phase"], verb_of(one)) for one in cells if not one["check"]}
    differences = [why for one in stories for why in of_story(one, plan)]
    differences += [f"{verb_of(one)} in {one['phase']}: {why}" for one in cells for why in wrong(one)]
    for phase in phases:
        seen = any(name == phase for name, _verb in asked)
        if seen == (phase in plan["unreached"]):
            differences.append(f"{phase}: {'was reached, and is excused' if seen else 'was never reached'}")
        for verb in verbs if seen else ():
            if (phase, verb) not in asked:
                differences.append(f"{verb} in {phase}: never asked")
            elif ((phase, verb) not in acted) != (f"{verb} in {phase}" in plan["checked"]):
                differences.append(f"{verb} in {phase}: {'done, and excused' if (phase, verb) in acted else 'only asked in check mode'}")
    Path(target).write_text(page(cells, phases, verbs, differences, plan))
    for one in differences:
        print(one, file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
