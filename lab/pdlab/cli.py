"""lab/lab: one entry point for the demo, the tests and the benchmarks."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import cluster, engine, load, network, optional, several, stack, target
from .build import build_all, workload_archives
from .cache import locked, purge, write_atomically
from .errors import LabError
from .paths import cache_root, kubeconfig
from .progress import say
from .shell import stop_children, succeeds


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return int(options.run(options) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        stop_children()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="Real clusters on this machine, from package registries alone.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="build what is missing, start the cluster, install Istio and Prometheus")
    up.add_argument("--cluster", default=cluster.DEFAULT, metavar="NAME")
    up.add_argument(
        "--clusters", type=int, default=1, metavar="N", help=f"so many, at most {several.MOST}: NAME, NAME-2, NAME-3, two at a time"
    )
    up.add_argument(
        "--gateway-port", type=int, metavar="PORT", help="host port of a new cluster's gateway (default: 31080, then the next free one)"
    )
    up.add_argument(
        "--cluster-only",
        action="store_true",
        help="stop when the cluster has its images, and say which variables roles need there",
    )
    up.set_defaults(run=_up)

    build = commands.add_parser("build", help="only fill the cache")
    build.set_defaults(run=lambda _: build_all(engine.find_engine().own))

    down = commands.add_parser("down", help="remove the clusters, and the network, rule and daemon that the lab started")
    down.add_argument("--cluster", metavar="NAME", help="only this cluster")
    down.add_argument("--purge", action="store_true", help="remove the cache too")
    down.set_defaults(run=_down)

    halt = commands.add_parser("stop", help="stop a cluster and keep it: up starts it again in seconds")
    halt.add_argument("--cluster", required=True, metavar="NAME")
    halt.set_defaults(run=_stop)

    commands.add_parser("status", help="say what runs").set_defaults(run=_status)

    where = commands.add_parser("kubeconfig", help="print the path of a cluster's kubeconfig")
    where.add_argument("name", nargs="?", default=cluster.DEFAULT)
    where.add_argument("--context", action="append", default=[], metavar="CONTEXT=NAME", help="a context of the file that --out names")
    where.add_argument(
        "--out", type=Path, metavar="FILE", help="write one kubeconfig with a context for each cluster, as regions have them"
    )
    where.set_defaults(run=_kubeconfig)

    pod = commands.add_parser("image", help="build images that are not loaded by default and load them")
    pod.add_argument("names", nargs="+", choices=sorted(optional.ARCHIVES), metavar=f"{{{','.join(sorted(optional.ARCHIVES))}}}")
    pod.add_argument("--cluster", default=cluster.DEFAULT, metavar="NAME")
    pod.add_argument("--variables", type=Path, metavar="FILE.json", help="write what the roles that use these images must be told")
    pod.set_defaults(run=_image)

    target.add_command(commands)
    load.add_commands(commands)
    return parser


def _up(options: argparse.Namespace) -> None:
    names = several.names(options.cluster, options.clusters)
    if options.gateway_port:
        cluster.choose_gateway_port(options.cluster, options.gateway_port)
    chosen = engine.find_engine()
    with locked(f"up-{options.cluster}"):
        build_all(chosen.own)
    several.all_of(names, lambda name: _up_one(chosen, name, cluster_only=options.cluster_only))


def _up_one(chosen: engine.Engine, name: str, *, cluster_only: bool) -> None:
    with locked(f"up-{name}"):
        cluster.ensure_cluster(chosen, name)
        cluster.load_images(chosen, name, workload_archives(chosen.own))
        if cluster_only:
            say(f"what roles need to know is in {stack.tell(chosen, name)}")
        else:
            stack.install(chosen, name)
        say(f"{name} is up: KUBECONFIG={kubeconfig(name)}, gateway at http://127.0.0.1:{cluster.gateway_port(name)}")


def _stop(options: argparse.Namespace) -> None:
    cluster.stop_cluster(engine.find_engine(), options.cluster)


def _kubeconfig(options: argparse.Namespace) -> None:
    if not options.out:
        print(kubeconfig(options.name))
        return
    several.write_kubeconfig(options.out, several.contexts_of(options.context))
    print(options.out)


def _image(options: argparse.Namespace) -> None:
    archives = {name: optional.ARCHIVES[name]() for name in options.names}
    cluster.load_images(engine.find_engine(), options.cluster, archives)
    if options.variables:
        write_atomically(options.variables, json.dumps(optional.role_variables(options.names), indent=1))


def _down(options: argparse.Namespace) -> None:
    chosen = engine.stock_engine()
    if engine.was_started():
        # A daemon that is gone would start its nodes again when it comes back: only a running one can forget them.
        engine.start()
        chosen = engine.own_engine()
    for name in [options.cluster] if options.cluster else cluster.recorded():
        cluster.delete_cluster(chosen, name)
        cluster.forget_cluster(name)
        say(f"removed {name}")
    if options.cluster:
        return
    network.remove_network(chosen.env)
    network.remove_rule()
    if chosen.own:
        engine.stop()
    if options.purge:
        purge()


def _status(_: argparse.Namespace) -> int:
    print(f"cache    {cache_root()}")
    if engine.is_running():
        chosen = engine.own_engine()
        print("engine   our dockerd, running")
    elif engine.was_started():
        print("engine   our dockerd, not running")
        return 1
    else:
        chosen = engine.stock_engine()
        print(f"engine   the machine's Docker, {'running' if succeeds(['docker', 'version']) else 'not running'}")
    healthy = True
    for name in cluster.recorded():
        if cluster.is_stopped(chosen, name):
            print(f"cluster  {name}: stopped; lab up --cluster {name} starts it again")
            continue
        answering = cluster.answers(chosen, name)
        healthy &= answering
        installed = "Istio and Prometheus installed" if stack.is_installed(name) else "nothing installed yet"
        state = f"answers, {installed}, gateway http://127.0.0.1:{cluster.gateway_port(name)}" if answering else "does not answer"
        print(f"cluster  {name}: {state}")
    return 0 if healthy and cluster.recorded() else 1
