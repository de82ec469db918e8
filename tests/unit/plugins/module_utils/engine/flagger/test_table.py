# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table phase × verb of Flagger, whole: every cell is there, says something, and leads to an act that exists."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import control, table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger.canary import PHASES
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import DOES, KINDS, lines
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import COMMANDS


def test_every_verb_has_every_phase_in_order():
    assert set(table.TABLE) == set(COMMANDS)
    assert all(tuple(row) == PHASES for row in table.TABLE.values())


@pytest.mark.parametrize(("verb", "phase", "kind", "said"), lines(table.TABLE))
def test_a_cell_says_what_it_does(verb, phase, kind, said):
    effect = table.TABLE[verb][phase]
    assert kind in KINDS
    assert said
    assert (kind == DOES) == (effect.act in control.ACTS)


def test_every_act_is_reached_from_some_cell():
    assert {effect.act for row in table.TABLE.values() for effect in row.values() if effect.act} == set(control.ACTS)


@pytest.mark.parametrize("phase", ["Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising", "Suspended"])
def test_abort_returns_traffic_wherever_the_canary_may_have_some(phase):
    assert table.TABLE["abort"][phase].act == table.RETURN


def test_nothing_is_forgotten_while_traffic_may_be_away():
    kept = {phase for phase, effect in table.TABLE["cleanup"].items() if effect.kind != DOES}
    assert kept == {"Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising", "Suspended"}
