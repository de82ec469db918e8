"""When the run of healthy releases fails."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import healthy_releases


def tally(**counts: int) -> dict[str, Any]:
    return {"runs": 30, "returned": 0, "otherwise": 0, **counts}


@pytest.mark.parametrize("returned", [0, healthy_releases.MOST_RETURNED])
def test_as_many_returned_ones_as_chance_explains_pass(returned: int) -> None:
    healthy_releases.judge(tally(returned=returned), 30)


@pytest.mark.parametrize("counts", [{"returned": healthy_releases.MOST_RETURNED + 1}, {"otherwise": 1}, {"runs": 29}])
def test_more_of_them_another_ending_or_a_missing_run_fails(counts: dict[str, int]) -> None:
    with pytest.raises(healthy_releases.RunFailed):
        healthy_releases.judge(tally(**counts), 30)
