"""The inventories of docs/examples as ansible-playbook reads them: each is a fleet whose every target has a valid release of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible.vars.manager import VariableManager
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.spec import Inventory, forks_needed
from ansible_collections.progressive.delivery.plugins.module_utils.fleet.train import for_target, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse as parse_release

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
FLEETS = {"three-regions.yml": 3, "thirty-regions.yml": 30, "environments.yml": 4, "train.yml": 3, "train-regions": 6}
OF_THE_PLAY = "fleet.yml"  # what the playbook says beside the inventory; a train says all itself


class Read:
    """One inventory: its hosts, and their variables as a task has them."""

    def __init__(self, name: str) -> None:
        loader = DataLoader()
        inventory = InventoryManager(loader=loader, sources=[str(EXAMPLES / name)])
        manager = VariableManager(loader=loader, inventory=inventory)
        (play,) = yaml.safe_load((EXAMPLES / OF_THE_PLAY).read_text())
        self.groups = {group: [host.name for host in found.get_hosts()] for group, found in inventory.groups.items()}
        self.hosts = [host.name for host in inventory.get_hosts()]
        self.variables = {}
        for host in inventory.get_hosts():
            found = (
                {**play["vars"], **manager.get_vars(host=host)}
                if "release_workload" not in manager.get_vars(host=host)
                else manager.get_vars(host=host)
            )
            templar = Templar(loader=loader, variables=found)
            self.variables[host.name] = {
                key: templar.template(value) for key, value in found.items() if key.startswith("release_") or key == "context"
            }

    def release_of(self, host: str) -> dict:
        """What the verb gets for a host."""
        return {key: value for key, value in self.variables[host].items() if key != "context"}

    def fleet(self, forks: int):
        """The fleet as the first host's task reads it."""
        return parse(self.release_of(self.hosts[0]), Inventory(self.groups, self.hosts, forks))


@pytest.mark.parametrize(("name", "targets"), FLEETS.items())
def test_an_inventory_is_a_fleet_with_all_its_hosts(name, targets):
    read = Read(name)
    fleet = read.fleet(forks=30)
    assert (len(fleet.targets), sorted(fleet.targets)) == (targets, sorted(read.hosts))
    assert forks_needed(fleet) == targets


@pytest.mark.parametrize("name", [*FLEETS, "one-region.yml"])
def test_every_target_has_a_valid_release_and_a_cluster_of_its_own_or_a_service(name):
    read = Read(name)
    specs = {host: parse_release(for_target(read.release_of(host), host, read.groups)) for host in read.hosts}
    assert all(read.variables[host]["context"] for host in read.hosts)
    assert len({(read.variables[host]["context"], specs[host].workload) for host in read.hosts}) == len(read.hosts)


def test_the_thirty_regions_need_the_forks_that_their_file_says():
    with pytest.raises(SpecError) as caught:
        Read("thirty-regions.yml").fleet(forks=5)
    assert "ansible-playbook --forks 30" in str(caught.value)
    assert "--forks 30" in (EXAMPLES / "thirty-regions.yml").read_text().splitlines()[1]


def test_the_shares_of_three_regions_are_those_of_the_story():
    fleet = Read("three-regions.yml").fleet(forks=3)
    assert [(wave.group, wave.share_percent, wave.bake_seconds) for wave in fleet.waves] == [
        ("wave_1", 5.0, 60.0),
        ("wave_2", 40.0, 120.0),
        ("wave_3", 100.0, 60.0),
    ]
