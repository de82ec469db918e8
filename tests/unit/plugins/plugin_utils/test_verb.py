# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb shares: stop signs that are noted and not obeyed blindly, silence towards nobody, refusals with all problems."""

import os
import signal

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.stop_signs import StopSigns
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Problem
from ansible_collections.progressive.delivery.plugins.plugin_utils import verb
from ansible_collections.progressive.delivery.plugins.plugin_utils.verb import refusal


@pytest.fixture
def signs():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield StopSigns()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_without_a_sign_there_is_no_reason_to_stop(signs):
    assert signs.why() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_raises_nothing(signs, number):
    signal.raise_signal(number)
    assert signs.why() == f"the runner was told to stop ({number.name})"


def test_the_first_signal_is_the_one_that_is_told(signs):
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert "SIGTERM" in signs.why()


def test_another_parent_means_that_the_job_is_gone_and_nobody_reads(signs, monkeypatch):
    shown = []
    monkeypatch.setattr(verb.display, "display", shown.append)
    emit = verb.emitter(signs)
    emit("before")
    monkeypatch.setattr(os, "getppid", lambda: 1)
    emit("after")
    assert "is gone" in signs.why()
    assert shown == ["before"]


@pytest.mark.parametrize(("count", "ending"), [(1, "1 problem. Nothing was changed."), (2, "2 problems. Nothing was changed.")])
def test_a_refusal_lists_every_problem_and_that_nothing_was_changed(count, ending):
    result = refusal([Problem("release_image", "x", "a tag")] * count)
    assert (result["failed"], result["changed"], result["outcome"]) == (True, False, "refused")
    assert result["problems"] == [{"field": "release_image", "value": "x", "allowed": "a tag"}] * count
    assert result["msg"].splitlines() == ["release_image: 'x' is not allowed; a tag"] * count + [ending]
