# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version that logs and reports tell is the one that is published."""

from pathlib import Path

import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.version import VERSION


def test_the_version_is_galaxy_s():
    root = Path(__file__).resolve().parents[4]
    assert yaml.safe_load((root / "galaxy.yml").read_text())["version"] == VERSION
