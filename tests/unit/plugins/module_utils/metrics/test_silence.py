"""When may the twin go? When its own counters stand still."""

from __future__ import annotations

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.counters import CANARY, STABLE, PodCounters, Reading
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.prometheus import Unavailable
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import Silence


class Scripted:
    """A source whose readings are told: pod -> (time of the newest sample, requests so far)."""

    def __init__(self, *readings, quiet_seconds=0.0):
        self.readings = list(readings)
        self.quiet_seconds = quiet_seconds

    def read(self):
        told = self.readings.pop(0)
        if told is None:
            raise Unavailable("gone")
        pods = {(CANARY, pod): PodCounters(at, {"code:200": count}) for pod, (at, count) in told.items()}
        return Reading(0.0, {**pods, (STABLE, "s"): PodCounters(1.0, {"code:200": 9.0})})


@pytest.mark.parametrize(
    ("readings", "silent"),
    [
        pytest.param([{"a": (1, 5)}], [False], id="one sample tells nothing"),
        pytest.param([{"a": (1, 5)}, {"a": (1, 5)}], [False, False], id="the same sample again tells nothing"),
        pytest.param([{"a": (1, 5)}, {"a": (6, 7)}, {"a": (11, 7)}], [False, False, True], id="still in a newer sample"),
        pytest.param([{"a": (1, 5)}, {"a": (6, 5)}, {"a": (11, 6)}], [False, True, False], id="requests came back"),
        pytest.param([{"a": (1, 5), "b": (1, 5)}, {"a": (6, 5), "b": (1, 5)}], [False, False], id="every pod must stand still"),
        pytest.param([{}], [True], id="no series, no requests"),
    ],
)
def test_an_arm_is_silent_when_newer_samples_of_all_its_pods_bring_nothing(readings, silent):
    silence = Silence(Scripted(*readings), CANARY)
    assert [silence.reached() for _reading in readings] == silent


def test_a_source_that_is_read_every_second_wants_a_longer_silence():
    readings = [{"a": (at, 5 if at < 3 else 6)} for at in range(1, 8)]
    silence = Silence(Scripted(*readings, quiet_seconds=3.0), CANARY)
    assert [silence.reached() for _reading in readings] == [False] * 5 + [True] * 2


def test_no_answer_is_no_silence():
    with pytest.raises(Unavailable):
        Silence(Scripted(None), CANARY).reached()
