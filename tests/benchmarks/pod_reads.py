"""What looks straight from twenty pods cost each second: processor time of all threads, over TLS, beside the bare reads.

The server is a process of its own that answers as an API server's pod proxy does. The rival reads the same paths over connections
that are kept, eight at once as we do, and throws the answers away.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pdlab.paths import CHECKOUT

from .support import JSON, RunFailed, figures, fresh_folder, keep, say

RUNS = 60
PODS = 10  # of each version
MOST_PERCENT = 10.0
KEY = "pod_reads"
FAMILIES = ("http", "istio")
CALLERS, CODES = 5, ("200", "404", "503")
BOUNDS = {"http": ("0.1", "0.25", "0.5", "1", "2.5", "+Inf"), "istio": ("50", "100", "250", "500", "1000", "+Inf")}
OTHERS = 150  # lines that no gate wants, in the application's answer
POLL_SECONDS = 1.0


def measure(runs: int) -> None:
    """So many looks of each family, one a second; writes pod_reads. Raises RunFailed when they take more of a core than the goal."""
    from ansible.plugins.loader import init_plugin_loader

    init_plugin_loader([str(CHECKOUT / "build" / "collections")])
    with _api_server(fresh_folder(KEY)) as (session, names):
        found = {family: _family(session, names, family, runs) for family in FAMILIES}
    part: JSON = {"families": found, "pods": 2 * PODS, "runs": runs}
    for family, one in found.items():
        say(f"looks from {2 * PODS} pods, {family}: {one['percent']} % of a core, bare reads {one['bare_percent']} %")
    keep({KEY: part})
    if (most := max(one["percent"] for one in found.values())) > MOST_PERCENT:
        raise RunFailed(f"{most} % of a core for {2 * PODS} pods")


def _family(session: Any, names: list[str], family: str, runs: int) -> JSON:
    """Percent of a core at one look a second, ours and that of the reads alone, in turns."""
    from ansible_collections.progressive.delivery.plugins.module_utils.metrics.pod_source import PodArms, PodSource
    from ansible_collections.progressive.delivery.plugins.module_utils.release.gates_spec import GateSpec
    from ansible_collections.progressive.delivery.plugins.module_utils.release.parts import POD_DEFAULTS, PodsSpec

    port, path = POD_DEFAULTS[family]
    gates = (GateSpec("errors", "error_rate", 0.01, None), GateSpec("slow", "latency", 0.01, 500.0))
    arms = PodArms("eu", {"app": "shop"}, {"app": "shop-canary"}, "app")
    source = PodSource(session, arms, PodsSpec(family, port, path, "http"), gates, clock=time.time)
    paths = [f"/api/v1/namespaces/eu/pods/{name}:{port or 8080}/proxy{path}" for name in names]
    ours: list[float] = []
    bare: list[float] = []
    looks = 0
    source.prepare()
    with ThreadPoolExecutor(8) as readers:
        for _number in range(runs):
            time.sleep(POLL_SECONDS)
            answers: list[Any] = []
            ours.append(_own_seconds(lambda got: got.append(source.poll(canary_expected=True, stable_expected=True)), answers))
            looks += sum(answer.new and not answer.problem for answer in answers)
            bare.append(_own_seconds(lambda _got: list(readers.map(session.raw, paths)), []))
    if looks < runs:
        raise RunFailed(f"{looks} of {runs} polls of {family} were a look")
    percent, bare_percent = (round(100 * statistics.mean(one) / POLL_SECONDS, 2) for one in (ours, bare))
    milliseconds = vars(figures([1000 * one for one in ours]))
    return {"percent": percent, "bare_percent": bare_percent, "ratio": round(percent / bare_percent, 2), "ms": milliseconds}


def _own_seconds(work: Callable[[list[Any]], Any], got: list[Any]) -> float:
    """Processor time of this process, its threads included."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    work(got)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def _api_server(folder: Path) -> Iterator[tuple[Any, list[str]]]:
    """A session with a server of its own process, and the names of its pods."""
    from ansible_collections.progressive.delivery.plugins.module_utils.cluster.session import connect
    from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_authority import Authority

    authority = Authority(folder)
    certificate, key = authority.issue("release")
    pods = {f"{app}-{number}": app for app in ("shop", "shop-canary") for number in range(PODS)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(pods))
    server.socket = authority.server().wrap_socket(server.socket, server_side=True)
    process = multiprocessing.get_context("fork").Process(target=server.serve_forever, daemon=True)
    process.start()
    try:
        host = f"https://127.0.0.1:{server.server_port}"
        yield connect({"host": host, "ca_cert": authority.file, "client_cert": certificate, "client_key": key}), list(pods)
    finally:
        process.kill()
        process.join()
        server.server_close()


def _handler(pods: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        asked = 0

        def do_GET(self) -> None:
            Handler.asked += 1
            path, _mark, query = self.path.partition("?")
            if path.endswith("/pods"):
                app = query.rpartition("%3D")[2]
                sent = json.dumps({"items": [_pod(name, app) for name, of in pods.items() if of == app]}).encode()
            else:
                sent = (_application(Handler.asked) if path.endswith("/metrics") else _sidecar(Handler.asked)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_arguments: Any) -> None:
            pass

    return Handler


def _pod(name: str, app: str) -> JSON:
    container = {"name": "app", "ports": [{"containerPort": 8080}]}
    meta = {"name": name, "namespace": "eu", "uid": name, "labels": {"app": app}}
    return {"metadata": meta, "spec": {"containers": [container]}, "status": {"phase": "Running"}}


def _application(requests: int) -> str:
    lines = [f'runtime_thing_{number}_total{{kind="any"}} {requests}' for number in range(OTHERS)]
    lines += [f'http_requests_total{{code="{code}"}} {requests}' for code in CODES]
    lines += [f'http_request_duration_seconds_bucket{{le="{le}"}} {3 * requests}' for le in BOUNDS["http"]]
    return "\n".join(lines) + "\n"


def _sidecar(requests: int) -> str:
    """What Envoy leaves of its counters for the filter that we ask with."""
    lines = []
    for caller in range(CALLERS):
        for code in CODES:
            own = f'reporter="destination",source_workload="caller-{caller}",destination_workload="shop",response_code="{code}"'
            lines.append(f"istio_requests_total{{{own}}} {requests}")
            lines += [f'istio_request_duration_milliseconds_bucket{{{own},le="{le}"}} {requests}' for le in BOUNDS["istio"]]
    return "\n".join(lines) + "\n"
