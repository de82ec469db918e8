"""What was measured as a table in the terminal, and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cut_over import RIVAL
from .support import JSON


@dataclass(frozen=True)
class Row:
    """A figure: what it is, the goal, how it reads."""

    key: str
    what: str
    goal: str
    text: Callable[[JSON], str]


def _spread(part: JSON, unit: str = "s") -> str:
    return f"median {part['median']} {unit} ({part['least']}–{part['most']})"


def _bad(part: JSON) -> str:
    seconds = f"median {part['median_seconds']} s, {part['min_seconds']}–{part['max_seconds']} s"
    answers = f"{part['count_median']:.0f} bad answers in the median, at most {part['count_max']}"
    return f"{seconds}; {answers}; {part['runs']} runs{_left_out(part)}"


def _left_out(part: JSON) -> str:
    return f" ({part['runs_left_out']} more gave no figure)" if part.get("runs_left_out") else ""


def _look(part: JSON) -> str:
    ours, bare, promtool = (_spread(part[f"{name}_ms"], "ms") for name in ("ours", "bare", "promtool"))
    rivals = f"{part['ratio']} × the same question by urllib ({bare}), {part['promtool_ratio']} × `promtool query instant` ({promtool})"
    return f"{ours}; {part['requests']:g} request a poll; {rivals}; {part['runs']} looks"


def _pod_reads(part: JSON) -> str:
    said = (
        f"`{family}`: {one['percent']} %, {one['ratio']} × the bare reads ({one['bare_percent']} %)"
        for family, one in part["families"].items()
    )
    return f"{'; '.join(said)}; {part['runs']} looks each"


def _failed(part: JSON) -> str:
    kinds = [kind for kind in ("promotions", "rollbacks") if kind in part]
    return "; ".join(f"{part[kind]} of {part[f'{kind}_requests']:,} in {part[f'{kind}_runs']} {kind}{_noise(part, kind)}" for kind in kinds)


def _noise(part: JSON, kind: str) -> str:
    """What failed without any release, where something did."""
    failed = part[f"{kind}_idle_failed"]
    codes = ", ".join(f"{count} × {code}" for code, count in part[f"{kind}_failed_codes"].items())
    idle = f"; with no release {failed} of {part[f'{kind}_idle_requests']:,}" if codes or failed else ""
    return f" ({codes}{idle})" if codes else idle


def _cut_over(part: JSON) -> str:
    """Requests of ours and of the rival; the table of cut-overs has the rest."""
    ours = [case for name, case in part["cases"].items() if name != RIVAL]
    failed, requests, runs = (sum(case[key] for case in ours) for key in ("failed", "requests", "runs"))
    rival = part["cases"].get(RIVAL)
    compared = f"; `{RIVAL}`: {rival['failed']} of {rival['requests']:,} in {rival['runs']}" if rival else ""
    return f"{failed} of {requests:,} in {runs} releases, at least {min(case['runs'] for case in ours)} of each kind{compared}"


def cut_overs(part: JSON) -> str:
    """Each strategy by each router, and the rival, as a table."""
    lines = [
        f"| {name} | {case['failed']} of {case['requests']:,}{_otherwise(case)} | {case['runs']} | {_overlap(case, 'there_ms')} "
        f"| {_overlap(case, 'home_ms')} |"
        for name, case in part["cases"].items()
    ]
    return CUT_OVERS + "\n".join(lines) + "\n"


def detections(part: JSON) -> str:
    """Each fault by each rule, as a table."""
    rules = list(next(iter(part["faults"].values())))
    head = DETECTION.format(**part, rules=" | ".join(rules), lines="|".join("---" for _rule in rules))
    rows = (f"| {fault} | " + " | ".join(_moments(found[rule]) for rule in rules) + " |" for fault, found in part["faults"].items())
    return head + "\n".join(rows) + "\n"


def _moments(seconds: list[float | None]) -> str:
    return ", ".join("–" if one is None else f"{one:.0f}" for one in seconds)


def _side_by_side(part: JSON) -> str:
    """Bad answers by each engine in one line; the table of engines has the rest."""
    return "; ".join(f"{name}: {_seconds(one['bad_seconds'])}" for name, one in _ours_first(part)) + f"; {part['runs']} runs each"


def _ours_first(part: JSON) -> list[tuple[str, JSON]]:
    """The engines, those without a controller first."""
    return sorted(part["engines"].items(), key=lambda item: item[1]["idle"] is not None)


def engines(part: JSON) -> str:
    """Each engine's figures, as a table."""
    rows = []
    for name, one in _ours_first(part):
        wrong = f"{one['returned_good']} good returned, {one['promoted_bad']} bad promoted"
        cells = [_seconds(one["bad_seconds"]), _seconds(one["bad_answers"], "")]
        cells += [f"{one['failed_beside']} of {one['requests']:,}", wrong, _seconds(one["promoted_seconds"])]
        cells += [_cost(one["idle"]), _cost(one["releasing"]), _cost(one["playbook"])]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return ENGINES.format(**{**part, "steps": ", ".join(f"{step} %" for step in part["steps"])}) + "\n".join(rows) + "\n"


def _seconds(part: JSON | None, unit: str = " s") -> str:
    return f"{part['median']}{unit} ({part['least']}–{part['most']})" if part else "–"


def _cost(part: JSON | None) -> str:
    return f"{part['cpu_percent']} % of a core, {part['mb']} MB" if part else "none runs"


def _overlap(case: JSON, key: str) -> str:
    if key not in case:
        return "–"
    median, least, most = (f"{case[key][name]:.0f}" for name in ("median", "least", "most"))
    return f"median {median} ms ({least}–{most})"


def _otherwise(case: JSON) -> str:
    said = [f"{case['ended_otherwise']} more ended otherwise"] if case["ended_otherwise"] else []
    said += [f"{case['idle_failed']} of {case['idle_requests']:,} with no release"] if case["idle_failed"] else []
    return f" ({'; '.join(said)})" if said else ""


def fleets(part: JSON) -> str:
    """The section on fleets: a row for each number of targets that was measured."""
    lines = []
    for _targets, one in sorted(part["series"].items(), key=lambda item: int(item[0])):
        servers = ", ".join(f"{share} %" for _cluster, share in sorted(one["api_servers_cpu_percent"].items()))
        last = one["first_start_seconds"] + one["start_spread_seconds"]
        cells = [
            one["targets"],
            one["clusters"],
            f"{one['first_start_seconds']}–{last:.1f} s",
            f"{one['all_bake_seconds']} s",
            f"{one['mb']} MB, {one['cpu_percent']} %",
            f"{one['playbook_mb']} MB, {one['playbook_cpu_percent']} %",
            servers,
            f"{one['return_first_seconds']}–{one['return_all_seconds']} s",
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return FLEETS + "\n".join(lines) + "\n"


ROWS = (
    Row(
        "weight_shift_in_release",
        "a weight shift inside a release ÷ the bare PATCH and GET",
        "≤ 2",
        lambda p: f"{p['ratio']} (ours {_spread(p['ours_ms'], 'ms')}; bare {_spread(p['raw_ms'], 'ms')}; {p['runs']} runs)",
    ),
    Row(
        "weight_shift_task",
        "a weight shift as a task, local connection ÷ the same patch by `kubernetes.core.k8s`",
        "≤ 0.1",
        lambda p: f"{p['ratio']} (ours {_spread(p['ours_ms'], 'ms')}; k8s {_spread(p['k8s_ms'], 'ms')}; {p['runs']} tasks each)",
    ),
    Row(
        "look",
        "a look of two gates over twenty pods: our own processor time, and requests to Prometheus",
        "≤ 20 ms, ≤ 2",
        _look,
    ),
    Row("pod_reads", "a look straight from twenty pods each second", "≤ 10 % of a core", _pod_reads),
    Row("bad_answers", "first bad answer a client sees → the last, scrapes of 5 s", "median ≤ 6 s, maximum ≤ 9 s", _bad),
    Row("bad_answers_15s", "the same, scrapes of 15 s", "median ≤ 13 s", _bad),
    Row("bad_answers_pods", "the same, counters straight from pods, no Prometheus", "maximum ≤ 3 s", _bad),
    Row(
        "good_release",
        "good version: start of the playbook → weight 100 %, steps 10–50 %",
        "≤ 50 s",
        lambda p: f"median {p['seconds']} s, {p['min_seconds']}–{p['max_seconds']} s; {p['runs']} runs",
    ),
    Row("failed_requests", "requests that failed while healthy versions were promoted or returned, 200 requests/s", "0", _failed),
    Row("cut_over", "requests that failed in cut-overs by each strategy and router, 200 requests/s", "0", _cut_over),
    Row(
        "side_by_side",
        "first bad answer → the last, the same versions by each engine",
        "ours at most half of the best of the others",
        _side_by_side,
    ),
    Row(
        "waiting_release",
        "releases that bake with two gates, each target of one playbook",
        "≤ 12 MB and ≤ 1 % of a core",
        lambda p: (
            f"{p['mb']} MB each with {p['targets']} targets ({p['alone_mb']} MB of them shared with nobody), {p['cpu_percent']} % of a core; "
            f"the playbook above them {p['controller_mb']} MB"
        ),
    ),
    Row(
        "fleet_targets",
        "targets of one fleet while they bake, from one control node",
        "≤ 12 MB and ≤ 1 % of a core",
        lambda p: (
            f"{p['mb']} MB each with {p['targets']} targets ({p['alone_mb']} MB of them shared with nobody), {p['cpu_percent']} % of a core; "
            f"all started within {p['start_spread_seconds']} s, all returned within {p['return_spread_seconds']} s"
        ),
    ),
    Row(
        "healthy_releases",
        "healthy versions returned, looks every second, counters straight from pods",
        "1 in 100, as simulated",
        lambda p: f"{p['returned']} of {p['runs']} releases with {p['looks']:,} looks; {p['failed']} of {p['requests']:,} requests failed",
    ),
)

REMARKS = "## Remarks"

CUT_OVERS = """
## Cut-overs

200 requests a second, healthy versions. The times are those from the first answer of the pods that take over to the last one of those that they relieve,
as clients received them, 0 where no answer of the old ones came after one of the new ones (requests are 5 ms apart): *there* from the old version to the new
one, *home* from the twin to the promoted pods. A canary shares the traffic on purpose before,
and a rolling update has no single moment: its *there* is how long both versions answered.

| by | requests that failed | releases | there | home |
|---|---|---|---|---|
"""

FLEETS = """
## Fleets

A fleet of one wave; a target is a namespace with one pod (two while it is released) in one of the lab's clusters, asked once a second, released with two gates,
baking at 10 %. Control node, clusters and clients are one machine. *Started*: from the start of the playbook to the first and the last target's release;
*all bake*: until the last one's canary had its 10 %. *Each*, over a minute in which all bake: memory (a page that n processes use counts with one n-th in each) and
share of a core of each target's worker. *API servers*: share of a core of each cluster's; the fleet's home is the first. *Home*: from the moment in which
`ansible-playbook progressive.delivery.abort` was typed until the first and the last target had all traffic on the old version.

| targets | clusters | started | all bake | each | the playbook | API servers | home |
|---|---|---|---|---|---|---|---|
"""

DETECTION = """
## Detection on the same counters

A version kept {weight} % of {requests_per_second} requests a second for {recorded_seconds} s while every look was recorded, scrapes of 5 s; then each rule judged
the same looks. Seconds from the shift to the look that returns the version, for each recording; – where it never does. Flagger itself acts one interval after that.

| what is wrong | {rules} |
|---|{lines}|
"""

ENGINES = """
## Engines side by side

The same versions, gates (errors ≤ 1 %, slower than 500 ms ≤ 1 %) and steps ({steps}) under {requests_per_second} requests a second, {runs} good and {runs} bad
releases each, every one by `ansible-playbook progressive.delivery.release` with the engine of its row. Flagger and Argo Rollouts look every 10 s, one failed look
returns traffic; both read the same Prometheus with scrapes of 5 s. *Promoted* is from the start of the playbook to the last answer of the version before. What failed
*beside* is all that the bad version itself did not answer. A controller's cost is that of its containers, one pod; *playbook* is `ansible-playbook` with its workers
while it releases or watches, the most memory at one moment (proportional set size). The native engine has nothing that runs between releases.

| engine | first bad answer → last | bad answers | failed beside | wrong verdicts | promoted | controller, idle | controller, releasing | playbook, releasing |
|---|---|---|---|---|---|---|---|---|
"""

HEAD = """# Benchmarks

Measured by `make bench` (or one of them: `tests/benchmarks/run NAME [--runs N]`) on the lab's kind cluster: {cores} cores that the cluster, the load
generator, the runner and other work share, so times are upper bounds and ratios say more than they do. Every release was a real
`ansible-playbook progressive.delivery.release`; clients' times are those of the load generator's log.

| what | goal | measured | on (UTC), load of the machine |
|---|---|---|---|
"""

TAIL = """
How each is measured:

- **Weight shift**: `IstioRouter.change` (read, tested patch, read back) in turns with a bare PATCH and GET of the same object, one process, one kept-alive connection.
- **Weight shift as a task**: one playbook whose tasks are in turns `progressive.delivery.traffic` and `kubernetes.core.k8s` (`state: patched`, a merge patch of the
  same VirtualService, which has to carry all of its rules), each to another weight; the time of a task as the `ansible.posix.json` callback has it.
- **A look**: of one release with the gates errors and slow requests over ten pods of each version, from the poll of the canary's pods to the verdict in the
  record; a Prometheus of its own, an API server in memory, whose time counts as ours. Processor time of the thread: waiting costs nothing. The rivals ask the
  same question of the same server: urllib and `json.loads` in the same process, and the whole process of promtool. Prometheus itself counts the requests.
- **Looks from pods**: a process of its own answers over TLS as the pod proxy of an API server does, `http` with 150 lines that no gate wants, `istio` with five callers
  and three status codes. Processor time of all threads of the reader; the bare reads are the same requests by the same session, eight at once, not looked into.
- **Bad answers**: half of the answers of version 1.6.0-broken are errors; it gets 10 % of 150 requests a second. The shift meets the scrapes at a random
  phase. Time runs from the first error a client received from that version to the last one. Each case has its own Prometheus, installed by the
  collection's role, or none: counters straight from pods are read once a second from the application's own `/metrics`.
- **Good release**: 150 requests a second, gates errors ≤ 1 % and slower than 500 ms ≤ 1 %; from the start of `ansible-playbook`, its own start-up included. The
  watch at 100 % is not counted.
- **Failed requests**: answers that are not 2xx, or none, over whole releases without gates; a rollback is an abort at 5, 25, 50, 75 or 100 %.
- **Cut-overs**: whole releases without gates, versions in turns; the rival is the lab's own `kubectl set image` on the same Deployment, with the same probes and
  the same five seconds of drain.
- **Waiting releases**: the workers of releases that bake at 10 % with two gates in several targets of one playbook, over a minute. Workers are forked: a page
  that n processes use counts with one n-th in each.
- **Healthy releases**: in three targets at once, each under 60 requests a second, with the two gates of above and no Prometheus.
"""


def show(found: JSON) -> None:
    """Print every figure there is."""
    for row in ROWS:
        print(f"{row.what}\n    goal {row.goal}\n    {row.text(found[row.key]) if row.key in found else 'not measured'}")
    if "cut_over" in found:
        print(cut_overs(found["cut_over"]))
    if "fleet_targets" in found:
        print(fleets(found["fleet_targets"]))
    if "side_by_side" in found:
        print(engines(found["side_by_side"]))
    if "detection" in found:
        print(detections(found["detection"]))


def write_document(found: JSON, file: Path) -> None:
    """Write docs/benchmarks.md: only what was measured."""
    measured = [row for row in ROWS if row.key in found]
    if not measured:
        return
    lines = [f"| {row.what} | {row.goal} | {row.text(found[row.key])} | {_when(found[row.key])} |" for row in measured]
    text = HEAD.format(cores=found[measured[0].key]["cores"]) + "\n".join(lines) + "\n" + TAIL
    if "cut_over" in found:
        text += cut_overs(found["cut_over"])
    if "fleet_targets" in found:
        text += fleets(found["fleet_targets"])
    if "side_by_side" in found:
        text += engines(found["side_by_side"])
    if "detection" in found:
        text += detections(found["detection"])
    missing = [row.what for row in ROWS if row.key not in found]
    if missing:
        text += "\nNot measured yet: " + "; ".join(missing) + ".\n"
    file.write_text(text + _remarks(file))


def _remarks(file: Path) -> str:
    """What people wrote at the end of the document; it stays."""
    _head, found, remarks = file.read_text().partition(REMARKS) if file.exists() else ("", "", "")
    return "\n" + found + remarks if found else ""


def _when(part: JSON) -> str:
    return f"{part['measured_at'][:16].replace('T', ' ')}, {part['load_average']}"
