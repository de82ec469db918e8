"""await_metrics.py KUBECONFIG PROMETHEUS NAMESPACE: wait until Prometheus counts requests to a namespace."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from cluster import Cluster

PATIENCE_SECONDS = 90.0


def await_metrics(cluster: Cluster, prometheus: str, namespace: str) -> None:
    """Raises TimeoutError after PATIENCE_SECONDS."""
    query = f'istio_requests_total{{reporter="source",destination_service_namespace="{namespace}"}}'
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not cluster.prometheus(prometheus, query):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Prometheus knows no requests of {namespace} after {PATIENCE_SECONDS:.0f} s")
        time.sleep(0.5)


if __name__ == "__main__":
    await_metrics(Cluster(Path(sys.argv[1])), sys.argv[2], sys.argv[3])
