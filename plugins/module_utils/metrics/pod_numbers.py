# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A number of each pod of both versions: gauges from Prometheus, told apart by whose pods the API server says they are, and restarts."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from statistics import fmean
from typing import Any

from ..analysis.look import ScalarLook
from ..analysis.mann_whitney_options import Options
from ..analysis.rank_judge import CANARY, STABLE
from ..analysis.samples import REPLACE
from ..analysis.verdict import NO_DATA, TOO_LITTLE_DATA
from ..cluster.errors import ClusterError
from ..cluster.session import Session
from ..release.gates_spec import GateSpec
from ..release.samples_spec import REQUEST, PerPodSpec
from ..release.spec import Spec
from ..release.values import Problem
from .pod_source import PodArms, running
from .prometheus import BadQuery, MetricsError, Prometheus
from .query_names import fill

JSON = dict[str, Any]
# requests a second of each pod: where a sidecar counts them, else where the application does
REQUESTS = (
    'sum by (pod) (rate(istio_requests_total{reporter="destination",destination_workload_namespace="{namespace}",'
    'pod=~"({stable}|{canary})-.+"}[{interval}])) or '
    'sum by (pod) (rate(http_requests_total{namespace="{namespace}",pod=~"({stable}|{canary})-.+"}[{interval}]))'
)
WORDS = {"canary": CANARY, "stable": STABLE}


class PodNumbers:
    """Reads the gates that have a number of each pod. names: what the placeholders of each gate stand for."""

    def __init__(self, session: Session, arms: PodArms, client: Prometheus | None, names: Mapping[str, dict[str, str]], spec: Spec) -> None:
        self._session, self._arms, self._client = session, arms, client
        self._gates = {gate.name: gate for gate in spec.gates if gate.name in names}
        self._queries = {name: fill(asked(gate.per_pod), names[name]) for name, gate in self._gates.items() if gate.per_pod}

    @property
    def gates(self) -> Collection[str]:
        """The names of its gates."""
        return self._gates.keys()

    def read(self, gate: str) -> ScalarLook:
        """The numbers of all running pods; those to be shown are the means of both versions, or all their restarts."""
        try:
            pods = self._arms.find(self._session)
            found = self._gates[gate]
            if found.per_pod is None:
                return _restarts(
                    gate, {f"{WORDS[arm]}{pod['metadata']['uid'][:13]}": restarts_of(pod) for (arm, _name), pod in pods.items()}
                )
            whose = {pod["metadata"]["name"]: arm for (arm, _name), pod in pods.items()}
            return _gauges(gate, by_pod(self._client, self._queries[gate]), whose, _options(found))
        except ClusterError as error:
            return ScalarLook(gate, None, problem=NO_DATA, detail=f"the pods cannot be listed: {error}")
        except (MetricsError, ValueError) as error:
            return ScalarLook(gate, None, problem=getattr(error, "cause", BadQuery.cause), detail=str(error))


def asked(gauge: PerPodSpec) -> str:
    """The query of a gauge, by the pod's requests a second where they are asked for."""
    return f"({gauge.promql}) / on (pod) ({REQUESTS})" if gauge.per == REQUEST else gauge.promql


def by_pod(client: Prometheus | None, query: str) -> dict[str, float]:
    """Pod -> its number now. Raises MetricsError; BadQuery unless each series is that of one pod."""
    if client is None:
        raise BadQuery("no Prometheus to ask")
    found: dict[str, float] = {}
    for labels, value in client.instant(query):
        pod = labels.get("pod")
        if not pod or pod in found:
            why = f"several series of pod {pod}" if pod else f"a series without the label pod ({labels})"
            raise BadQuery(f"{why} where each pod has one; sum or average them by (pod)")
        found[pod] = value
    return found


def restarts_of(pod: JSON) -> int:
    """How often containers of a pod were started again."""
    return sum(int(one.get("restartCount", 0)) for one in (pod.get("status") or {}).get("containerStatuses") or [])


def inspect(
    session: Session, spec: Spec, deployment: JSON, names: Mapping[str, dict[str, str]], *, transport: Any, problems: list[Problem]
) -> None:
    """Check that each query of pods parses and has numbers of stable's pods. Adds to problems. Raises ClusterError."""
    gauges = [(index, gate) for index, gate in enumerate(spec.gates) if gate.per_pod]
    if not gauges or transport is None:
        return
    labels = deployment["spec"]["selector"].get("matchLabels") or {}
    pods = {pod["metadata"]["name"] for pod in running(session, spec.namespace, labels)}
    for index, gate in gauges:
        query = fill(asked(gate.per_pod), names[gate.name]) if gate.per_pod else ""
        field = f"release_gates[{index}].{gate.kind}"
        try:
            found = by_pod(Prometheus(transport), query)
        except BadQuery as error:
            problems.append(Problem(field, query, f"a query that Prometheus answers with one series for each pod: {error}"))
            continue
        except (MetricsError, ValueError) as error:
            where = spec.prometheus_url or "{}/{}:{}".format(*(spec.prometheus_service or ("", "", "")))
            problems.append(Problem("release_prometheus", where, f"a Prometheus that answers: {error}"))
            return
        if pods and not pods & found.keys():
            shown = ", ".join(sorted(found)[:3]) or "none"
            problems.append(
                Problem(field, query, f"a query with a series of each of stable's {len(pods)} pods; there are series of: {shown}")
            )


def _options(gate: GateSpec) -> Options:
    return gate.samples.options if gate.samples else Options()


def _gauges(gate: str, found: Mapping[str, float], whose: Mapping[str, str], options: Options) -> ScalarLook:
    """The numbers of pods that are ours; one that is no number is none, or 0 where the options say so."""
    values: dict[str, dict[str, float]] = {"canary": {}, "stable": {}}
    for pod, value in found.items():
        if pod not in whose:
            continue
        if math.isfinite(value):
            values[whose[pod]][pod] = value
        elif options.nan_strategy == REPLACE:
            values[whose[pod]][pod] = 0.0
    for arm, numbers in values.items():
        if not numbers:
            there = [pod for pod in found if whose.get(pod) == arm]
            problem = TOO_LITTLE_DATA if there else NO_DATA
            detail = f"no finite number of {arm}'s pods, as a division by zero is" if there else f"no series of {arm}'s pods"
            return ScalarLook(gate, None, problem=problem, detail=detail)
    named = tuple((WORDS[arm] + pod, value) for arm, numbers in values.items() for pod, value in sorted(numbers.items()))
    return ScalarLook(gate, fmean(values["canary"].values()), fmean(values["stable"].values()), values=named)


def _restarts(gate: str, counts: Mapping[str, int]) -> ScalarLook:
    canary, stable = (float(sum(count for pod, count in counts.items() if pod.startswith(arm))) for arm in (CANARY, STABLE))
    return ScalarLook(gate, canary, stable, values=tuple((pod, float(count)) for pod, count in sorted(counts.items())))
