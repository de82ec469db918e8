"""Several clusters as regions: their names, work in all of them, one kubeconfig, and the demo that runs on them."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import pytest
import yaml
from pddemo import fleet
from pdlab import several
from pdlab.errors import LabError


def test_the_first_has_its_own_name_and_the_others_a_number() -> None:
    assert several.names("north", 1) == ["north"]
    assert several.names("north", 3) == ["north", "north-2", "north-3"]


@pytest.mark.parametrize("count", [0, -1, several.MOST + 1])
def test_a_number_of_clusters_that_makes_no_sense_is_refused_with_the_limits(count: int) -> None:
    with pytest.raises(LabError, match=rf"--clusters is {count}; the lab runs 1 to {several.MOST}"):
        several.names("north", count)


def test_two_clusters_are_worked_on_at_once_and_a_failure_keeps_the_others_from_beginning() -> None:
    together, begun = threading.Barrier(2, timeout=20), []

    def work(name: str) -> None:
        begun.append(name)
        together.wait()

    several.all_of(["a", "b"], work)
    assert sorted(begun) == ["a", "b"]

    hold, begun = threading.Event(), []

    def fail(name: str) -> None:
        begun.append(name)
        if name == "a":
            raise LabError("a does not start")
        hold.wait(20)

    threading.Timer(1.0, hold.set).start()
    with pytest.raises(LabError, match="a does not start"):
        several.all_of(["a", "b", "c", "d", "e"], fail)
    assert "e" not in begun


def test_contexts_are_read_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "recorded", lambda: ["pd-lab", "pd-lab-2"])
    assert several.contexts_of(["prod-usw1=pd-lab", "prod-euw1=pd-lab-2"]) == {"prod-usw1": "pd-lab", "prod-euw1": "pd-lab-2"}
    for words, said in (
        (["prod-usw1"], "it is CONTEXT=CLUSTER"),
        (["=pd-lab"], "it is CONTEXT=CLUSTER"),
        (["x=pd-lab-9"], "there is no cluster pd-lab-9; there is: pd-lab, pd-lab-2"),
        ([], "at least one --context"),
    ):
        with pytest.raises(LabError, match=said):
            several.contexts_of(words)


def test_one_kubeconfig_has_each_cluster_under_the_name_of_its_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def view(command: list[str]) -> str:
        assert command[-5:] == ["config", "view", "--raw", "-o", "json"]
        cluster = command[0]
        one = {"name": "kind", "cluster": {"server": f"https://{cluster}"}}
        return json.dumps({"clusters": [one], "users": [{"name": "kind", "user": {"token": cluster}}], "contexts": [{"name": "kind"}]})

    monkeypatch.setattr(several, "kubectl", lambda cluster: [cluster])
    monkeypatch.setattr(several, "ask", view)
    file = tmp_path / "kubeconfig"
    several.write_kubeconfig(file, {"prod-usw1": "a", "prod-euw1": "b"})
    found = json.loads(file.read_text())
    assert found["current-context"] == "prod-usw1"
    users = {one["name"]: one["user"]["token"] for one in found["users"]}
    servers = {one["name"]: one["cluster"]["server"] for one in found["clusters"]}
    reached = {one["name"]: (servers[one["context"]["cluster"]], users[one["context"]["user"]]) for one in found["contexts"]}
    assert reached == {"prod-usw1": ("https://a", "a"), "prod-euw1": ("https://b", "b")}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_demo_runs_the_example_as_it_stands() -> None:
    told = yaml.safe_load(fleet.INVENTORY.read_text())["all"]
    hosts = {name: one["context"] for group in told["children"].values() for name, one in group["hosts"].items()}
    assert hosts == fleet.CONTEXTS
    assert told["vars"]["release_namespace"] == fleet.NAMESPACE
    second = told["vars"]["release_waves"][1]
    assert list(told["children"][second["group"]]["hosts"]) == [fleet.TURNS_IN]
    assert second["share"] == 40
    assert yaml.safe_load(fleet.SETTINGS.read_text())["release_name"] == "shop"  # whose record the demo watches


def ended(version: str, *, code: int, serves: dict[str, str], by_the_tool: int = 0) -> dict:
    counts = {region: {"failed_by_tool": by_the_tool} for region in serves}
    return {"version": version, "code": code, "promoted": code == 0, "serves": serves, "regions": counts}


def test_the_demo_complains_of_what_it_did_not_promise() -> None:
    good = dict.fromkeys(fleet.CONTEXTS, fleet.GOOD)
    as_promised = [ended(fleet.GOOD, code=0, serves=good), ended(fleet.TURNS, code=2, serves=good)]
    assert fleet.complaints(as_promised) == []
    left_behind = {**good, "us_east_1": fleet.TURNS}
    wrong = [ended(fleet.GOOD, code=2, serves=good, by_the_tool=3), ended(fleet.TURNS, code=0, serves=left_behind)]
    said = fleet.complaints(wrong)
    assert len(said) == 4
    assert "the job of 1.1.0 ended with 2" in said[0]
    assert "requests failed during 1.1.0" in said[1]
    assert "us_east_1" in said[2] and "eu_west_1" not in said[2]
    assert f"the job of {fleet.TURNS} ended with 0" in said[3]
