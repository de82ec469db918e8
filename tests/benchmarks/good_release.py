"""How long a good version takes from the start of the playbook to the shift to 100 %, five steps before it."""

from __future__ import annotations

import time

from pddemo.traffic import steady

from .support import CLUSTER, SPARE_RUNS, RunFailed, events, figures, fresh_folder, host, image, keep, moment, say, settings, target

RUNS = 5
NAMESPACE = "bench-good"
REQUESTS_PER_SECOND = 150
STEPS = [10, 20, 30, 40, 50, 100]
HISTORY_SECONDS = 15.0


def measure(runs: int) -> None:
    """Releases two good versions in turns; writes good_release."""
    seconds: list[float] = []
    since_start: list[float] = []
    left_out = 0
    folder = fresh_folder("good_release")
    with target(NAMESPACE) as playbooks, steady(host(NAMESPACE), REQUESTS_PER_SECOND, CLUSTER, folder / "load.jsonl") as load:
        time.sleep(HISTORY_SECONDS)
        for number in range(runs):
            run = fresh_folder("good_release", f"run-{number}")
            variables = settings(
                NAMESPACE, name="good", image=image("1.2.0" if number % 2 else "1.1.0"), steps=STEPS, verify_seconds=0, log_dir=str(run)
            )
            began = time.time()
            playbooks.play("release", NAMESPACE, variables, log=run / "playbook.txt")
            log = events(run)
            started, full = moment(log, "start"), moment(log, "weight", weight_percent=100)
            if started is None or full is None:
                left_out += 1
                say(f"good release: a run is left out, it did not get to 100 %; see {run}")
                if left_out > SPARE_RUNS:
                    raise RunFailed("too many runs without a figure")
                continue
            seconds.append(full - began)
            since_start.append(full - started)
            load.new_records(0)
            say(f"good release {number + 1} of {runs}: {seconds[-1]:.1f} s, of these {started - began:.1f} s before its first line")
            overall = figures(seconds, 1)
            part = {
                "seconds": overall.median,
                "min_seconds": overall.least,
                "max_seconds": overall.most,
                "runs": len(seconds),
                "runs_left_out": left_out,
            }
            keep({"good_release": {**part, "after_start_line_seconds": vars(figures(since_start, 1))}})
