"""The AWX objects of docs/examples/awx: options that the modules know, nodes that exist, playbooks that are there."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "awx"
MODULES = {
    "controller_credential_types": "credential_type",
    "controller_projects": "project",
    "controller_inventories": "inventory",
    "controller_inventory_sources": "inventory_source",
    "controller_templates": "job_template",
    "controller_workflows": "workflow_job_template",
}


class Loader(yaml.SafeLoader):
    """YAML with Ansible's tag for text that is no template."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))
OBJECTS = yaml.load((EXAMPLE / "objects.yml").read_text(), Loader)
(WORKFLOW,) = OBJECTS["controller_workflows"]
NODES = {node["identifier"]: node for node in WORKFLOW["workflow_nodes"]}
TEMPLATES = {one["name"]: one for one in OBJECTS["controller_templates"]}


def options(module: str) -> dict:
    """The documented options of a module of awx.awx, which comes with the package ansible."""
    packages = importlib.util.find_spec("ansible_collections").submodule_search_locations
    (file,) = [found for one in packages if (found := Path(one) / "awx" / "awx" / "plugins" / "modules" / f"{module}.py").exists()][:1]
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(statement.value))["options"]
    raise AssertionError(f"{module} is not documented")


@pytest.mark.parametrize("name", MODULES)
def test_every_option_is_one_that_the_module_knows(name):
    known = options(MODULES[name])
    allowed = set(known) | {alias for one in known.values() for alias in one.get("aliases", [])}
    for one in OBJECTS[name]:
        assert set(one) <= allowed
        assert {option for option, what in known.items() if what.get("required")} <= set(one)


def test_every_list_is_applied():
    (play,) = yaml.safe_load((EXAMPLE / "apply.yml").read_text())
    applied = {
        task["loop"].strip("{} "): f"awx.awx.{module}" for task in play["tasks"] for module in [next(k for k in task if "." in k)[8:]]
    }
    assert applied == {name: f"awx.awx.{module}" for name, module in MODULES.items()}


def test_every_playbook_is_in_the_project():
    assert [one["playbook"] for one in TEMPLATES.values() if not (EXAMPLE / one["playbook"]).exists()] == []


def test_nodes_lead_to_nodes_and_start_templates_that_take_what_they_give():
    for node in NODES.values():
        assert {one["identifier"] for edge in node.get("related", {}).values() for one in edge} <= set(NODES)
        job = node["unified_job_template"]
        if job["type"] == "job_template":
            asks = {option for option in ("limit", "job_type") if option in node}
            assert {f"ask_{option}_on_launch" for option in asks} <= {key for key, value in TEMPLATES[job["name"]].items() if value is True}


@pytest.mark.parametrize("wave", [1, 2, 3])
def test_what_fails_in_a_wave_or_before_it_rolls_back_every_wave_that_has_the_version(wave):
    waves = ":".join(f"wave_{number}" for number in range(1, wave + 1))
    failing = [NODES[f"wave-{wave}"]] if wave > 1 else []
    if wave < 3:
        failing.append(NODES[f"approve-wave-{wave + 1}"])
    for node in failing:
        (after,) = node["related"]["failure_nodes"]
        assert NODES[after["identifier"]]["unified_job_template"]["name"] == "Roll a wave back"
        assert NODES[after["identifier"]]["limit"] == waves


def test_waves_are_groups_of_the_inventory():
    groups = yaml.safe_load((EXAMPLE / "inventory.yml").read_text())["all"]["children"]
    limits = {name for node in NODES.values() for name in node.get("limit", "").split(":") if name}
    assert limits == set(groups)


def test_the_rulebook_starts_a_template_that_takes_what_it_gives():
    (rules,) = yaml.safe_load((ROOT / "extensions" / "eda" / "rulebooks" / "alertmanager.yml").read_text())
    for rule in rules["rules"]:
        started = rule["action"]["run_job_template"]
        template = TEMPLATES[started["name"]]
        assert (
            template["ask_limit_on_launch"] and template["ask_variables_on_launch"] and set(started["job_args"]) == {"limit", "extra_vars"}
        )


def test_the_execution_environment_can_be_laid_out(tmp_path):
    definition = str(ROOT / "execution-environment.yml")
    command = [
        sys.executable,
        "-m",
        "ansible_builder",
        "create",
        "-f",
        definition,
        "-c",
        str(tmp_path),
        "--output-filename",
        "Containerfile",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ansible-core==2.19.14" in (tmp_path / "Containerfile").read_text()
