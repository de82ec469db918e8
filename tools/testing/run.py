"""Run the stages, say while they run what is awaited, and close with a table and the line `N passed, N failed`."""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import stages as plan
from stages import REPOSITORY, Count, Stage

HEARTBEAT_SECONDS = 30
POLL_SECONDS = 0.5
SHOWN_LINES = 40
FIRST_FAILURE_LINES = 20
FAILURE = re.compile(r"fatal: \[|^E  |Traceback")


@dataclass
class Outcome:
    """What one stage came to."""

    stage: Stage
    count: Count
    seconds: float
    note: str = ""


@dataclass
class Run:
    """One run: where logs go, what is running, and what has ended."""

    logs: pathlib.Path
    started: float = field(default_factory=time.monotonic)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    background: Job | None = None
    beside: Job | None = None  # of the stages that run beside the scenarios

    def say(self, text: str) -> None:
        """One line with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes:3d}:{seconds:02d}] {text}", flush=True)

    def execute(self, stage: Stage) -> None:
        """Run one stage to its end, or say why it cannot run."""
        for name in stage.needs:
            self._await_background(name)
            needed = self.outcomes.get(name)
            if needed is None or needed.count.failed:
                self._skip(stage, f"{name} failed" if needed else f"{name} is not there")
                return
        job = Job(stage, self.logs)
        if stage.aside:
            self.beside = job
        self.say(f"{stage.name}: {' '.join(stage.command)}{', beside the scenarios' if stage.aside else ''}")
        self._finish(job)

    def all(self, stages: list[Stage]) -> None:
        """Run stages one after another."""
        for stage in stages:
            self.execute(stage)

    def _await_background(self, name: str) -> None:
        if self.background and self.background.stage.name == name:
            job, self.background = self.background, None
            self._finish(job)

    def _finish(self, job: Job) -> None:
        spoken = time.monotonic()
        while job.process.poll() is None:
            time.sleep(POLL_SECONDS)
            if time.monotonic() - spoken >= HEARTBEAT_SECONDS:
                spoken = time.monotonic()
                self.say(f"waiting for {job.stage.name}: {job.last_line()}")
        outcome = job.outcome()
        self.outcomes[job.stage.name] = outcome
        self.say(f"{job.stage.name}: {describe(outcome)} after {outcome.seconds:.0f} s")
        if outcome.count.failed:
            print(f"--- from {job.log.relative_to(REPOSITORY)}\n{job.excerpt()}\n---", flush=True)

    def _skip(self, stage: Stage, reason: str) -> None:
        self.outcomes[stage.name] = Outcome(stage, Count(failed=1), 0.0, f"not run: {reason}")
        self.say(f"{stage.name}: not run, {reason}")

    def close(self) -> int:
        """Print the table and the closing line; the exit code."""
        print(f"\n{'stage':28}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
        total = Count()
        for outcome in self.outcomes.values():
            count = outcome.count
            total += count
            print(f"{outcome.stage.name:28}{count.passed:8}{count.failed:8}{count.skipped:9}{outcome.seconds:9.0f}  {outcome.note}")
        print(f"\n{total.passed} passed, {total.failed} failed", flush=True)
        return 1 if total.failed or not total.passed else 0


class Job:
    """A running stage, in its own process group, with its log."""

    def __init__(self, stage: Stage, logs: pathlib.Path) -> None:
        self.stage = stage
        self.log = logs / f"{stage.name}.log"
        self.started = time.monotonic()
        self.ended = self.started
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*(("nice", "-n", "19") if stage.aside else ()), *stage.command],
                cwd=REPOSITORY,
                env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._watcher = threading.Thread(target=self._await_end, daemon=True)
        self._watcher.start()

    def _await_end(self) -> None:
        self.process.wait()
        self.ended = time.monotonic()

    def outcome(self) -> Outcome:
        """How it ended, and how long it ran, however late it is asked."""
        self._watcher.join()
        return Outcome(self.stage, self.stage.count(self.process.returncode), self.ended - self.started)

    def excerpt(self) -> str:
        """What explains a failure: the first lines that say so, as molecule goes on for long after them, and the end."""
        lines = self.log.read_text(errors="replace").splitlines()
        first = next((number for number, line in enumerate(lines) if FAILURE.search(line)), len(lines))
        end = max(first + FIRST_FAILURE_LINES, len(lines) - SHOWN_LINES)
        return "\n".join([*lines[first : first + FIRST_FAILURE_LINES], "...", *lines[end:]])

    def last_line(self) -> str:
        """The newest line of the log that says something."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][-120:] if lines else "no output yet"

    def stop(self) -> None:
        """End the whole process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)


def describe(outcome: Outcome) -> str:
    """A stage's count in words."""
    count = outcome.count
    text = f"{count.passed} passed, {count.failed} failed"
    return text + (f", {count.skipped} skipped" if count.skipped else "")


def main() -> int:
    """Run the chosen stages; 0 when nothing failed."""
    parser = argparse.ArgumentParser(prog="tools/run-tests", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="only these; their needs are added")
    parser.add_argument("--deep", action="store_true", help="the long shards, results in build/deep/")
    parser.add_argument("--list", action="store_true", help="print the stages")
    options = parser.parse_args()
    chosen = plan.deep() if options.deep else plan.standard()
    if options.list:
        print("\n".join(f"{stage.name:28}{' '.join(stage.command)}" for stage in chosen))
        return 0
    if unknown := set(options.stages) - {stage.name for stage in chosen}:
        parser.error(f"no such stage: {', '.join(sorted(unknown))}")
    if options.stages:
        needed = {name for stage in chosen if stage.name in options.stages for name in stage.needs}
        chosen = [stage for stage in chosen if stage.name in needed | set(options.stages)]

    run = Run(plan.DEEP_RESULTS if options.deep else plan.RESULTS)
    run.logs.mkdir(parents=True, exist_ok=True)
    for report in run.logs.glob("*.xml"):
        report.unlink()  # a stage that dies must not be counted by its last run
    lab = plan.lab_up()
    if lab and any(lab.name in stage.needs for stage in chosen):
        run.background = Job(lab, run.logs)
        run.say(f"{lab.name}: {' '.join(lab.command)}, beside the next stages")
    alone = [stage for stage in chosen if not stage.aside]
    first = [stage for stage in alone if not stage.needs]
    beside = threading.Thread(target=run.all, args=([stage for stage in chosen if stage.aside],), daemon=True)
    try:
        run.all(first)
        beside.start()
        run.all(alone[len(first) :])
        while beside.is_alive():
            beside.join(POLL_SECONDS)
    finally:
        for job in (run.background, run.beside):
            if job:
                job.stop()
    return run.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
