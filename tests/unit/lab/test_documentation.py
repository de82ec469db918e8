"""The playbooks of docs/strategies.md: each strategy has one, pasted as it stands, and only its times are made short."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "extensions" / "molecule" / "documentation"))

import examples

DOCUMENT = (CHECKOUT / "docs" / "strategies.md").read_text()
PLAYBOOKS = examples.playbooks(DOCUMENT)


def test_each_strategy_has_a_whole_playbook() -> None:
    strategies = {examples.variables(text)["release_strategy"] for text in PLAYBOOKS.values()}
    assert strategies == {"canary", "blue_green", "ab_test", "shadow", "rolling"}
    assert len(PLAYBOOKS) >= 7


def test_a_block_is_taken_as_it_stands() -> None:
    text = '# first.yml\n- name: "a"   # said\n  vars: {b: 1}\n'
    assert examples.playbooks(f"# Title\n```yaml\n{text}```\n```yaml\nrelease_name: part\n```\n") == {"first.yml": text}
    with pytest.raises(ValueError, match=r"two playbooks are called first\.yml"):
        examples.playbooks(2 * f"```yaml\n{text}```\n")


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_only_times_are_made_short(name: str) -> None:
    said = examples.variables(PLAYBOOKS[name])
    quick = examples.quicker(said)
    assert set(quick) - set(said) <= {"release_verify_seconds"}
    for before, after in zip(said.get("release_steps", []), quick.get("release_steps", []), strict=False):
        assert after == ({**before, "bake_seconds": 5} if isinstance(before, dict) else before)
    assert len(quick.get("release_steps", said.get("release_steps", []))) == len(said.get("release_steps", []))
    times = ("at_least", "at_most", "iteration_seconds")
    ab = said.get("release_ab", {})
    assert {key: value for key, value in quick.get("release_ab", {}).items() if key not in times} == {
        key: value for key, value in ab.items() if key not in times
    }


def test_a_story_plans_first_and_sends_chosen_requests_to_an_experiment_that_chooses(tmp_path: Path) -> None:
    stories = {name: examples.story(tmp_path / name, text) for name, text in PLAYBOOKS.items()}
    for one in stories.values():
        assert one["service"] == "checkout"
        assert next(act for act in one["acts"] if "pause" not in act)["label"] == examples.PLANNED
        assert "extra" not in next(act for act in one["acts"] if "plan" in act)
    assert {one["name"]: one["load"] for one in stories.values() if one["load"] != 80} == {"shadow": 200}
    sent = [act["run"] for one in stories.values() for act in one["acts"] if "run" in act]
    assert [one[one.index("--header") + 1] for one in sent] == ["x-country: no"]
