# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection under its own name, and a headless Chromium: Debian's, which is installed where it is missing."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from ansible.plugins.loader import init_plugin_loader

repository = pathlib.Path(__file__).parents[2]
collections = subprocess.run([repository / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
init_plugin_loader([collections])
sys.path.insert(0, str(repository / "lab"))

PATIENCE_SECONDS = 300  # a start of Chromium takes one second of an idle machine
QUIET = ("--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run")


class Chromium:
    """Opens one file at a time."""

    def __init__(self, program, folder):
        self._program, self._folder = program, folder

    def open(self, page, *options):
        """What it writes to its output; options say what it does with the page."""
        # Root has no sandbox to give; what is opened is our own file.
        rooted = ("--no-sandbox",) if os.geteuid() == 0 else ()
        profile = f"--user-data-dir={self._folder / 'profile'}"
        command = [self._program, *QUIET, *rooted, profile, *options, page.as_uri()]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS).stdout


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """A browser; the test fails where there is none and none can be installed."""
    from pdlab.packages import ensure_packages, search_path

    ensure_packages({"chromium": "chromium"})
    return Chromium(shutil.which("chromium", path=search_path()), tmp_path_factory.mktemp("chromium"))
