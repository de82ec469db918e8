"""Let plain `pytest tests/unit` import the collection under its own name; ansible-test brings its own loader."""

import os
import pathlib
import subprocess

from hypothesis import HealthCheck, settings

# A busy machine is no reason to fail: nothing in the unit tests is a measurement of time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

if "ansible_pytest_collections" not in os.environ.get("PYTEST_PLUGINS", ""):
    from ansible.plugins.loader import init_plugin_loader

    repository = pathlib.Path(__file__).parents[2]
    collections = subprocess.run([repository / "tools/collection-link"], check=True, capture_output=True, text=True).stdout.strip()
    init_plugin_loader([collections])
