# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/judges.md runs as it stands there and says what the page says."""

import os
import pathlib
import re
import subprocess
import sys

import ansible_collections.progressive.delivery.plugins.filter.mann_whitney as rank_filter
import pytest

PAGE = pathlib.Path(rank_filter.__file__).parents[2] / "docs" / "judges.md"
COLLECTIONS = pathlib.Path(rank_filter.__file__).parents[5]
SECTION = re.compile(r"## Mann-Whitney\n.*?```yaml\n(?P<playbook>.*?)```\n(?P<after>.*?)###", re.DOTALL)


@pytest.fixture(scope="module")
def example():
    return SECTION.search(PAGE.read_text())


@pytest.fixture(scope="module")
def output(example, tmp_path_factory):
    folder = tmp_path_factory.mktemp("judges")
    (folder / "compare.yml").write_text(example["playbook"])
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_LOCALHOST_WARNING": "false", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "ansible.cli.playbook", "compare.yml"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_says_what_the_page_says(example, output):
    sentences = re.findall(r"`((?:CPU|score)[^`]*)`", example["after"])
    assert len(sentences) == 2
    for sentence in sentences:
        assert sentence in output
