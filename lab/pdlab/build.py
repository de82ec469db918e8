"""Builds everything a cluster needs, two at a time: Go leaves one core idle while it downloads and links."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from .base import envoy, root_file_system
from .cache import sweep
from .gobuild import programs
from .images import WORKLOADS, kubernetes_images, shop
from .paths import in_cache
from .shell import stop_children

_WORKERS = 2
_TOOLS = {"kubectl": "kubectl", "kind": "kind", "helm": "helm"}


def build_all(own_engine: bool) -> None:
    """Fills the cache; with a stock engine only the tools and the shop are ours."""
    sweep()
    go = ["kubernetes", "istio", "coredns", "prometheus", "kubectl", "helm", "etcd", "kind", "node", "shop", "vegeta"]
    if not own_engine:
        go = ["kubectl", "helm", "kind", "shop", "vegeta"]
    jobs: list[Callable[[], object]] = [partial(programs, name) for name in go]
    if own_engine:
        jobs = [root_file_system, envoy, *jobs]
    _run_all(jobs)
    _run_all([kubernetes_images] if own_engine else [])
    workload_archives(own_engine)
    _link_tools()


def workload_archives(own_engine: bool) -> dict[str, Path]:
    """Name → archive of the images that every cluster gets."""
    makers = WORKLOADS if own_engine else {"shop": shop}
    return {name: make() for name, make in makers.items()}


def tools_folder() -> Path:
    return in_cache("bin", "x").parent


def _link_tools() -> None:
    """Puts kubectl, kind and helm where people and playbooks find them."""
    for module, name in _TOOLS.items():
        link = tools_folder() / name
        target = programs(module) / name
        if not link.is_symlink() or link.readlink() != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def _run_all(jobs: list[Callable[[], object]]) -> None:
    """Runs the jobs in their order on a few threads; the first failure, or our own end, stops the others."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_children()
            raise
