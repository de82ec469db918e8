# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table phase × verb of Flagger, whole: every cell is there, says something, and leads to an act that exists."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import control, table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger.canary import PHASES
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import DOES, KINDS, lines
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import COMMANDS

TABLES = {"under way": table.TABLE, "ended": table.ENDED}
CELLS = [(name, *cell) for name, one in TABLES.items() for cell in lines(one)]


@pytest.mark.parametrize("one", TABLES.values(), ids=TABLES)
def test_every_verb_has_every_phase_in_order(one):
    assert set(one) == set(COMMANDS)
    assert all(tuple(row) == PHASES for row in one.values())


@pytest.mark.parametrize(("name", "verb", "phase", "kind", "said"), CELLS)
def test_a_cell_says_what_it_does(name, verb, phase, kind, said):
    effect = table.effect_of(verb, phase, ended=name == "ended")
    assert kind in KINDS
    assert said
    assert (kind == DOES) == (effect.act in control.ACTS)


def test_every_act_is_reached_from_some_cell():
    reached = {effect.act for one in TABLES.values() for row in one.values() for effect in row.values() if effect.act}
    assert reached == set(control.ACTS)


@pytest.mark.parametrize("phase", ["Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising", "Suspended"])
def test_abort_returns_traffic_wherever_the_canary_may_have_some(phase):
    assert table.TABLE["abort"][phase].act == table.RETURN


def test_nothing_is_forgotten_while_traffic_may_be_away():
    forgotten = {phase for phase, effect in table.TABLE["cleanup"].items() if effect.kind == DOES}
    assert forgotten == {"", "Initializing", "Succeeded", "Failed"}


@pytest.mark.parametrize("phase", PHASES)
def test_there_is_a_way_out_of_every_phase_unless_the_canary_is_just_being_deleted(phase):
    """No verb sends people to another one that sends them back."""
    ways = {verb for verb in ("abort", "retry") if table.TABLE[verb][phase].kind == DOES}
    assert ways or phase in ("Terminating", "Terminated")
    assert table.ENDED["cleanup"][phase].kind == DOES
