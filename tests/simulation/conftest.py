"""The collection under its own name, as in tests/unit."""

import pathlib
import subprocess

from ansible.plugins.loader import init_plugin_loader

repository = pathlib.Path(__file__).parents[2]
collections = subprocess.run([repository / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
init_plugin_loader([collections])
