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

sys.path.insert(0, str(REPOSITORY / "extensions" / "molecule" / "shared"))
from starvation import Starvation

HEARTBEAT_SECONDS = 30
SIDE_BY_SIDE = 2  # scenarios: with three the machine is starved, and the unit tests beside them end no sooner
STARVED = 5.0  # a machine that gives a job less than a fifth of its time plays one scenario at a time
POLL_SECONDS = 0.5
SHOWN_LINES = 40
FIRST_FAILURE_LINES = 20
REASON_LINES = 6
REASON_CHARACTERS = 1500
FAILURE = re.compile(r"(fatal|failed): \[|^E  |Traceback")


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
    jobs: list[Job] = field(default_factory=list)  # all that were started
    starvation: Starvation = field(default_factory=Starvation)
    awaiting: threading.Lock = field(default_factory=threading.Lock)  # held by who waits for the background

    def say(self, text: str) -> None:
        """One line with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        print(f"[{minutes:3d}:{seconds:02d}] {text}", flush=True)

    def all(self, stages: list[Stage]) -> None:
        """Begin stages in their order, one after another, or side by side where they may."""
        waiting, running = list(stages), Running(self)
        while waiting or running.jobs:
            while waiting and running.admits(waiting[0]):
                job = self._begin(waiting.pop(0))
                if job:
                    running.jobs.append(job)
            running.settle()

    def _begin(self, stage: Stage) -> Job | None:
        """Start a stage, or say why it cannot run."""
        for name in stage.needs:
            self._await_background(name)
            needed = self.outcomes.get(name)
            if needed is None or needed.count.failed:
                self._skip(stage, f"{name} failed" if needed else f"{name} is not there")
                return None
        job = Job(stage, self.logs)
        self.jobs.append(job)
        self.say(f"{stage.name}: {' '.join(stage.command)}{', beside the scenarios' if stage.aside else ''}")
        return job

    def _await_background(self, name: str) -> None:
        with self.awaiting:  # whoever comes second finds its outcome
            if self.background and self.background.stage.name == name:
                running = Running(self, [self.background])
                self.background = None
                while running.jobs:
                    running.settle()

    def note(self, job: Job) -> None:
        """A job has ended: keep and say what it came to."""
        outcome = job.outcome()
        self.outcomes[job.stage.name] = outcome
        starved = self.starvation.lately()
        self.say(
            f"{job.stage.name}: {describe(outcome)} after {outcome.seconds:.0f} s (a job takes {starved:.1f} times its processor time)"
        )
        if outcome.count.failed:
            print(f"--- from {os.path.relpath(job.log, REPOSITORY)}\n{job.excerpt()}\n---", flush=True)

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
        for job in self.jobs:
            ended = self.outcomes.get(job.stage.name)
            if ended and ended.count.failed:
                print(f"\nFAILED {job.stage.name}: {job.reason()}")
        print(f"\n{total.passed} passed, {total.failed} failed", flush=True)
        return 1 if total.failed or not total.passed else 0


@dataclass
class Running:
    """The jobs that run side by side now."""

    run: Run
    jobs: list[Job] = field(default_factory=list)
    spoken: float = field(default_factory=time.monotonic)

    def admits(self, stage: Stage) -> bool:
        """Whether a stage may begin beside what runs."""
        if not self.jobs:
            return True
        if any(job.stage.alone or job.stage.name in stage.needs for job in self.jobs):
            return False
        return len(self.jobs) < SIDE_BY_SIDE and not stage.alone and self.run.starvation.lately() < STARVED

    def settle(self) -> None:
        """Wait a moment; note what has ended, and say now and then what is awaited."""
        time.sleep(POLL_SECONDS)
        ended = [job for job in self.jobs if job.process.poll() is not None]
        self.jobs = [job for job in self.jobs if job not in ended]
        for job in ended:
            self.run.note(job)
        if time.monotonic() - self.spoken >= HEARTBEAT_SECONDS:
            self.spoken = time.monotonic()
            for job in self.jobs:
                self.run.say(f"waiting for {job.stage.name}: {job.last_line()}")


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
        first = next((number for number, line in enumerate(lines) if FAILURE.search(line)), None)
        if first is None:
            return "\n".join(lines[-SHOWN_LINES:])
        end = max(first + FIRST_FAILURE_LINES, len(lines) - SHOWN_LINES)
        return "\n".join([*lines[first : first + FIRST_FAILURE_LINES], "...", *lines[end:]])

    def reason(self) -> str:
        """Its first failure in one line, with the task of a playbook: who sees only the end of a run's output still learns why."""
        lines = self.log.read_text(errors="replace").splitlines()
        first = next((number for number, line in enumerate(lines) if FAILURE.search(line)), len(lines) - 1)
        task = next((line.strip(" *") for line in reversed(lines[:first]) if line.startswith("TASK [")), "")
        return " ".join([task, *(line.strip() for line in lines[first : first + REASON_LINES])]).strip()[:REASON_CHARACTERS]

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
    for report in run.logs.rglob("*.xml"):
        report.unlink()  # a stage that dies must not be counted by its last run
    lab = plan.lab_up()
    if lab and any(lab.name in stage.needs for stage in chosen):
        run.background = Job(lab, run.logs)
        run.jobs.append(run.background)
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
        for job in run.jobs:
            job.stop()
    return run.close()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
