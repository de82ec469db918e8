"""The rules that the filter slo_rules makes, checked and run by Prometheus' own promtool, which the lab builds beside its server."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.slo_rules import slo_rules
from ansible_collections.progressive.delivery.plugins.module_utils.release.source_spec import NAMES
from pdlab.gobuild import programs

JSON = dict[str, Any]
LEAST = {"namespace": "eu", "workload": "shop", "objective": "99.9%"}
IDENTITY = '{sloth_id="eu-shop-availability",sloth_service="shop",sloth_slo="availability"%s}'
FAST, BURNS, SLOWLY, OUT, DEGRADED = (
    f"Shop{name}" for name in ("BudgetBurnsFast", "BudgetBurns", "BudgetBurnsSlowly", "BudgetRunsOut", "CanaryDegraded")
)
LONG = {FAST: "1h", BURNS: "6h", SLOWLY: "1d", OUT: "3d"}
HOUR = 60  # in steps of the series below, which are minutes


@pytest.fixture(scope="session")
def promtool() -> Path:
    return programs("prometheus") / "promtool"


def asked(promtool: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool, *words], cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def requests(workload: str, code: int, values: str) -> JSON:
    """A counter of one Deployment's answers by what promtool calls values: start+growth x times, a minute each."""
    labels = f'reporter="destination",destination_workload_namespace="eu",destination_workload="{workload}",response_code="{code}"'
    return {"series": f"istio_requests_total{{{labels}}}", "values": values}


def growth(failed: int, good: int, minutes: int, workload: str = "shop") -> list[JSON]:
    """A Deployment that fails so often and answers well so often in each minute."""
    return [requests(workload, 500, f"0+{failed}x{minutes}"), requests(workload, 200, f"0+{good}x{minutes}")]


def number(name: str, value: float, *, window: str = "") -> JSON:
    """One of Sloth's series has this value."""
    labels = IDENTITY % (f',sloth_window="{window}"' if window else "")
    return {"expr": name, "exp_samples": [{"labels": name + labels, "value": value}]}


def alert(rules: JSON, name: str) -> JSON:
    """An alert as it must look when it fires; one on the burn has the label of its long window besides, as the series that it reads."""
    rule = next(one for group in rules["groups"] for one in group["rules"] if one.get("alert") == name)
    window = {"sloth_window": LONG[name]} if name in LONG else {}
    return {"exp_labels": {**rule["labels"], **window}, "exp_annotations": rule["annotations"]}


def about(name: str, found: list[JSON]) -> list[JSON]:
    """Only what is said of one alert."""
    return [one for one in found if one["alertname"] == name]


def run(promtool: Path, folder: Path, rules: JSON, story: JSON) -> subprocess.CompletedProcess[str]:
    """promtool test rules with one story over these rules."""
    (folder / "rules.yml").write_text(yaml.safe_dump(rules))
    told = copy.deepcopy({"interval": "1m", **story})
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "fuzzy_compare": True, "tests": [told]}
    (folder / "story.yml").write_text(yaml.safe_dump(tests))
    return asked(promtool, folder, "test", "rules", "story.yml")


def firing(rules: JSON, at: str, *names: str) -> list[JSON]:
    """Of all alerts, these fire at a time and no others."""
    every = [one["alert"] for group in rules["groups"] for one in group["rules"] if "alert" in one]
    return [{"eval_time": at, "alertname": name, "exp_alerts": [alert(rules, name)] if name in names else []} for name in every]


@pytest.mark.parametrize("period", ["30d", "28d", "7d"])
@pytest.mark.parametrize("source", NAMES)
def test_promtool_finds_nothing_wrong(promtool: Path, tmp_path: Path, source: str, period: str) -> None:
    rules = slo_rules({**LEAST, "service": "shop-web", "source": source, "period": period, "labels": {"team": 'shop\'s "best"'}})
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    done = asked(promtool, tmp_path, "check", "rules", "--lint=all", "--lint-fatal", "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"SUCCESS: {sum(len(group['rules']) for group in rules['groups'])} rules found" in done.stdout


def test_ratios_and_what_is_left_are_the_numbers_that_a_release_reads(promtool: Path, tmp_path: Path) -> None:
    hours = 3 * HOUR
    both = [*growth(1, 1599, hours), *growth(2, 398, hours, "shop-canary")]  # 3 of 2,000 failed: 0.0015
    story = {
        "input_series": both,
        "promql_expr_test": [
            {"eval_time": "3h", **number("slo:sli_error:ratio_rate5m", 0.0015, window="5m")},
            {"eval_time": "3h", **number("slo:sli_error:ratio_rate1h", 0.0015, window="1h")},
            {"eval_time": "3h", **number("slo:sli_error:ratio_rate30d", 0.0015, window="30d")},
            {"eval_time": "3h", **number("slo:period_error_budget_remaining:ratio", -0.5, window="30d")},
            {"eval_time": "3h", **number("slo:current_burn_rate:ratio", 1.5, window="5m")},
            {"eval_time": "3h", **number("slo:objective:ratio", 0.999)},
        ],
    }
    done = run(promtool, tmp_path, slo_rules(LEAST), story)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_error_is_zero_and_no_request_is_no_number(promtool: Path, tmp_path: Path) -> None:
    good = {
        "input_series": [requests("shop", 200, f"0+600x{HOUR}")],
        "promql_expr_test": [
            {"eval_time": "1h", **number("slo:sli_error:ratio_rate5m", 0, window="5m")},
            {"eval_time": "1h", **number("slo:period_error_budget_remaining:ratio", 1, window="30d")},
        ],
    }
    quiet = {
        "input_series": [requests("shop", 200, f"7x{HOUR}"), *growth(9, 9, HOUR, "another")],
        "promql_expr_test": [{"eval_time": "1h", "expr": 'slo:sli_error:ratio_rate5m{sloth_service="shop"}', "exp_samples": []}],
        "alert_rule_test": firing(slo_rules(LEAST), "1h"),
    }
    for story in (good, quiet):
        done = run(promtool, tmp_path, slo_rules(LEAST), story)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("per_mille", "names"),
    [(0, ()), (1, ()), (2, (OUT,)), (4, (OUT, SLOWLY)), (7, (OUT, SLOWLY, BURNS)), (15, (OUT, SLOWLY, BURNS, FAST))],
)
def test_each_alert_on_the_burn_fires_above_its_own_factor(promtool: Path, tmp_path: Path, per_mille: int, names: tuple[str, ...]) -> None:
    rules = slo_rules(LEAST)
    story = {"input_series": growth(per_mille, 1000 - per_mille, 7 * HOUR), "alert_rule_test": firing(rules, "7h", *names)}
    done = run(promtool, tmp_path, rules, story)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_outage_that_is_over_pages_nobody_and_one_of_minutes_does_not_yet(promtool: Path, tmp_path: Path) -> None:
    """The short window falls silent soon after the outage, the long one does not know of it yet when it begins."""
    rules = slo_rules(LEAST)
    # six good hours, then 20 minutes of 5 %, then all is well again
    failed = f"0x{6 * HOUR} 50+50x19 1000x60"
    story = {
        "input_series": [requests("shop", 500, failed), requests("shop", 200, f"0+950x{7 * HOUR + 20}")],
        "alert_rule_test": [
            *about(FAST, firing(rules, "362m")),
            *about(FAST, firing(rules, "380m", FAST)),
            *about(FAST, firing(rules, "390m")),
        ],
    }
    done = run(promtool, tmp_path, rules, story)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("canary", "stable", "fires"),
    [
        ((30, 970), (19, 981), True),  # 1.58 times
        ((30, 970), (20, 980), False),  # 1.5 times exactly
        ((28, 972), (20, 980), False),  # 1.4 times
        ((8, 192), (0, 1000), True),  # 8 a minute are 16 in two; stable fails never
        ((4, 196), (0, 1000), False),  # 8 in two minutes may be chance
    ],
)
def test_the_alert_on_a_canary_fires_above_one_and_a_half_times_stables_errors(
    promtool: Path, tmp_path: Path, canary: tuple[int, int], stable: tuple[int, int], fires: bool
) -> None:
    rules = slo_rules({**LEAST, "release": "spring", "labels": {"team": "shop"}})
    story = {
        "input_series": [*growth(*canary, 10, "shop-canary"), *growth(*stable, 10)],
        "alert_rule_test": about(DEGRADED, firing(rules, "10m", *([DEGRADED] if fires else []))),
    }
    assert alert(rules, DEGRADED)["exp_labels"] == {"severity": "ticket", "team": "shop", "release": "spring", "action": "rollback"}
    done = run(promtool, tmp_path, rules, story)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_have_seen_another_limit(promtool: Path, tmp_path: Path) -> None:
    rules, other = slo_rules(LEAST), slo_rules({**LEAST, "canary_ratio": 3})
    story = {
        "input_series": [*growth(30, 970, 10, "shop-canary"), *growth(15, 985, 10)],
        "alert_rule_test": about(DEGRADED, firing(rules, "10m", DEGRADED)),
    }
    assert run(promtool, tmp_path, rules, story).returncode == 0
    done = run(promtool, tmp_path, other, story)
    assert done.returncode == 1
    assert "FAILED" in done.stdout + done.stderr
