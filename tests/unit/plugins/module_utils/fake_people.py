# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A World with people who give commands while a release runs: from outside, at a moment or from a process of their own."""

from __future__ import annotations

import threading

from ansible_collections.progressive.delivery.plugins.module_utils.engine import commands, native
from ansible_collections.progressive.delivery.plugins.module_utils.release import record
from ansible_collections.progressive.delivery.plugins.module_utils.release.command import parse_command
from ansible_collections.progressive.delivery.plugins.module_utils.release.context import Process
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld


class People(MortalWorld):
    """Commands are given by the name of the verb; when() gives one at the moment a line with that word is said."""

    def __init__(self):
        super().__init__()
        self.answers = []

    def tell(self, command, check_mode=False, sleep=None, **options):
        """Give a command from another process and return its result."""
        given = {"release_name": "shop", "release_namespace": "eu", "command": command, "by": "mia", "release_reason": "why not"}
        process = Process(clock=self.clock, sleep=sleep or self.sleep, why_stop=lambda: None)
        caller = native.Caller(self.lines.append, "eu", None, process, "status", "abort")
        return commands.control(self, parse_command({**given, **options}), caller, check_mode=check_mode)

    def when(self, word, command, **options):
        """Give a command when a line with that word is said; its result is kept in answers."""
        self.at[word] = lambda: self.answers.append(self.tell(command, **options))

    def beside(self, **release):
        """The release in a process of its own, which runs whenever somebody else sleeps."""
        return Beside(self, release)

    @property
    def state(self):
        return record.load(self, "eu", "shop").state

    @property
    def log(self):
        return [(one["command"], one["said"]) for one in self.state.control.get("log", [])]

    def said(self, words):
        return [line for line in self.lines if words in line]

    @property
    def weights(self):
        """The canary's shares in the order in which they were put."""
        return [int(line.split("%")[0].split()[-1]) for line in self.lines if "  weight  " in line]


class Beside:
    """A release whose thread and its caller take turns: one runs while the other sleeps, so that nothing is left to chance."""

    def __init__(self, world, release):
        self._world = world
        self._runs, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._plain_sleep = world.sleep
        self.result = None
        world.sleep = self._runner_sleeps
        self._thread = threading.Thread(target=self._run, args=[release], daemon=True)
        self._thread.start()

    def _run(self, release):
        self._runs.acquire()
        try:
            self.result = self._world.start(**release)
        finally:
            self._waits.release()

    def _runner_sleeps(self, seconds):
        self._plain_sleep(seconds)
        if threading.current_thread() is self._thread:
            self._waits.release()
            self._runs.acquire()

    def turn(self, _seconds=0.0):
        """Let the release run until it sleeps."""
        if self._thread.is_alive() and self.result is None:
            self._runs.release()
            self._waits.acquire()

    def until(self, word):
        """Let it run until a line with that word was said."""
        for _turn in range(10_000):
            if self._world.said(word):
                return
            self.turn()
        raise AssertionError(f"{word} was never said: {self._world.lines}")

    def end(self):
        """Its result."""
        for _turn in range(100_000):
            if self.result is not None:
                return self.result
            self.turn()
        raise AssertionError(f"it never ended: {self._world.lines[-5:]}")
