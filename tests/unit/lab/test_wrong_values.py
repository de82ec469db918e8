"""Every row of wrong_values of scenario bad_input, through the parser: make test plays the other groups on the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.release import arguments
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

JSON = dict[str, Any]
WRONG = Path(__file__).resolve().parents[3] / "extensions" / "molecule" / "bad_input" / "wrong"
SHARED: JSON = {
    **yaml.safe_load((WRONG / "values.yml").read_text())["all"]["vars"],
    "release_prometheus": {"service": "monitoring/prometheus:9090"},
}


def rows() -> dict[str, JSON]:
    """Name of a row -> its variables; those that a playbook has to fill in are left to make test-deep."""
    found: dict[str, JSON] = {}
    for path in sorted(WRONG.glob("*.yml")):
        group = yaml.safe_load(path.read_text())["all"]["children"].get("wrong_values") or {"hosts": {}}
        found |= {name: {**SHARED, **group.get("vars", {}), **row} for name, row in group["hosts"].items() if "{{" not in repr(row)}
    return found


ROWS = rows()


def test_the_table_is_as_long_as_it_should_be() -> None:
    assert len(ROWS) >= 150


@pytest.mark.parametrize("name", ROWS)
def test_a_wrong_value_is_refused_with_its_field_and_what_is_allowed(name: str) -> None:
    row = ROWS[name]
    given, _connection = arguments.split({}, row, lambda value: value)
    with pytest.raises(SpecError) as caught:
        parse(given)
    said = "\n".join(map(str, caught.value.problems))
    assert all(words in said for words in row["says"])
    if "field" in row:
        assert row["field"] in [problem.field for problem in caught.value.problems]
        assert all(problem.allowed for problem in caught.value.problems)
