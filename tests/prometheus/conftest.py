# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection under its own name, and one real Prometheus that scrapes what a test shows every second."""

import pathlib
import subprocess
import sys

import pytest
from ansible.plugins.loader import init_plugin_loader

repository = pathlib.Path(__file__).parents[2]
collections = subprocess.run([repository / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
init_plugin_loader([collections])
sys.path.insert(0, str(repository / "lab"))


@pytest.fixture(scope="session")
def binary() -> pathlib.Path:
    """The Prometheus that the lab has built; without it nothing here can pass."""
    from pdlab.cache import artifact_path
    from pdlab.gobuild import PROGRAMS, key_of_program

    found = artifact_path("go-prometheus", key_of_program(PROGRAMS["prometheus"])) / "prometheus"
    if not found.exists():
        pytest.fail(f"{found} is missing: `lab/lab build` makes it, `make test` does so by its stage lab-up")
    return found


@pytest.fixture(scope="session")
def lab(binary, tmp_path_factory):
    """A running Prometheus and the targets that it scrapes."""
    from ansible_collections.progressive.delivery.tests.prometheus.server import Lab

    with Lab(binary, tmp_path_factory.mktemp("prometheus")) as running:
        yield running
