"""Plays stories: releases in fresh targets under load, and what happens to them on the way.

Reads {"folder", "kubeconfig", "prometheus", "host_template", "stories": [...]} as JSON from standard input, plays the
stories side by side and writes FOLDER/facts.json: what the cluster and the log of the load say afterwards, and how starved the
machine was meanwhile ("starved", see starvation.py), which bounds in seconds are multiplied by. It judges nothing: verify.yml does. A story:

    name, targets (namespace -> release variables), vars (release variables of all its targets), load (requests a second),
    routes: a file of objects that replace the lab's VirtualService (${namespace} is filled in, and ${proxy_image} of the ingress
    gateway), service: what Deployment, Service and route are called (shop), stable: the version that answers before,
    route: the kind of the one whose spec is compared before and after (VirtualService);
    workload: {kind: KIND, objects: FILE} that takes the place of the lab's Deployment, under its name (${namespace} is filled in);
    acts: a list of single-key dictionaries, in their order:
      start: NAME         ansible-playbook progressive.delivery.release in the background (with: variables of this run alone)
      plan: NAME          the same with --check --diff, to its end
      abort: NAME         ansible-playbook progressive.delivery.abort, to its end
      control: VERB       ansible-playbook progressive.delivery.VERB, to its end
      finish: NAME        wait for the end of what was started
      (with these: limit: one target; within: seconds of patience; label: what verify.yml calls the act; playbook: another one than
      the collection's release; extra: variables on the command line)
      until: {...}        wait for what Story.holds() reads in the cluster
      kill, kill_parent, freeze, wake: NAME
      remember: LABEL     take a snapshot of the target; differs: LABEL says later what is not as it was
      pause: SECONDS
      run: [COMMAND...]   anything else, such as kubectl
      restart_api_server: NODE
A story with points plays once for each of them, in targets of their own; "point" in an until stands for the point.
"""

from __future__ import annotations

import copy
import json
import os
import signal
import string
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import load_log
from await_metrics import await_metrics
from cluster import Cluster, difference, leftovers
from runner import Runner
from starvation import Starvation

JSON = dict[str, Any]
CHECKOUT = Path(__file__).resolve().parents[3]
LAB = [str(CHECKOUT / "lab" / "lab")]
COLLECTION = "progressive.delivery"
RECORD = f"{COLLECTION}/record"
WAIT_SECONDS = 240.0  # times the stage's patience; a starved machine needs ten times as long as a quiet one
LOAD_SECONDS = 900  # likewise; every story ends before it does, on a starved machine too
LONGEST_LOAD_SECONDS = 1800
POLL_SECONDS = 0.05
# kind -> what it calls its pods that are wanted, ready and of its present template, in its status
COUNTS = {
    "Deployment": ("replicas", "readyReplicas", "updatedReplicas"),
    "StatefulSet": ("replicas", "readyReplicas", "updatedReplicas"),
    "DaemonSet": ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled"),
}
REPLICAS = 2  # the lab's node has two cores to give away


class Story:
    """One story while it is played."""

    def __init__(self, told: JSON, stage: JSON) -> None:
        self.told = told
        self.stage = stage
        self.patience = float(stage.get("patience", 1))
        self.wait = WAIT_SECONDS * self.patience
        self.folder = Path(stage["folder"])
        self.cluster = Cluster(Path(stage["kubeconfig"]))
        self.targets: dict[str, JSON] = told["targets"]
        self.first = next(iter(self.targets))
        self.release = str(self._variables(self.first)["release_name"])
        self.service = str(told.get("service", "shop"))
        self.runners: dict[str, Runner] = {}
        self.loads: dict[str, subprocess.Popen[bytes]] = {}
        self.remembered: dict[str, dict[str, str]] = {}
        self.routes: dict[str, str] = {}
        self.acts: dict[str, JSON] = {}

    def play(self) -> JSON:
        """Set the stage, play the acts, say what is true afterwards. Ends every process that it started."""
        error = ""
        try:
            self._set_stage()
            for act in self.told["acts"]:
                self._act(act)
                self._load_lasts()
        except Exception:  # noqa: BLE001 - whatever it was, the facts below are told with it
            error = traceback.format_exc(limit=3)
        finally:
            for runner in self.runners.values():
                runner.end()
            self._end_load()
        facts = {one: self._facts(one) for one in self.targets}
        if not error:
            self._leave_stage()
        return {"name": self.told["name"], "error": error, "acts": self.acts, "targets": facts}

    def holds(self, wanted: JSON, target: str) -> bool:
        """Whether all that is wanted can be read in the cluster now.

        Of the record: phase, outcome, weight, doing (how it begins), started and ended (a step), waiting (for an approval). Of the cluster:
        image (of the template of what serves), twin (whether it exists), route (percent of the canary's destination).
        """
        state = self.cluster.record(target, self.release)
        steps = {step["name"]: step for step in state.get("steps", [])}
        read = {
            "phase": lambda value: state.get("phase") == value,
            "outcome": lambda value: state.get("outcome") == value,
            "weight": lambda value: state.get("weight_percent") == value,
            "waiting": lambda value: (state.get("control", {}).get("waiting") or {}).get("step") == value,
            "doing": lambda value: state.get("doing", "").startswith(value),
            "started": lambda value: value in steps,
            "ended": lambda value: "ended_at" in steps.get(value, {}),
            "image": lambda value: self._stable_image(target) == value,
            "twin": lambda value: (self.cluster.find("Deployment", target, f"{self.service}-canary") is not None) == value,
            "route": lambda value: self._route_percent(target) == value,
        }
        return all(read[key](value) for key, value in wanted.items())

    def _act(self, act: JSON) -> None:
        (verb, what), *options = act.items()
        extra = dict(options)
        label = extra.get("label") or (f"{verb} {what}" if isinstance(what, str) else verb)
        began = time.time()
        result = getattr(self, f"_do_{verb}")(what, extra) or {}
        self.acts[label] = {"began": began, "ended": time.time(), "took": time.time() - began, **result}

    def _do_start(self, name: str, extra: JSON) -> None:
        options = ["--limit", extra["limit"]] if "limit" in extra else []
        self._start(name, extra.get("playbook", f"{COLLECTION}.release"), [*options, *_on_the_command_line(extra)], extra.get("with", {}))

    def _do_plan(self, name: str, extra: JSON) -> JSON:
        options = ["--check", "--diff", *_on_the_command_line(extra)]
        self._start(name, extra.get("playbook", f"{COLLECTION}.release"), options, extra.get("with", {}))
        return {**self.runners[name].finish(self.wait), "output": self.runners[name].output()}

    def _do_abort(self, name: str, extra: JSON) -> JSON:
        self._start(name, f"{COLLECTION}.abort", [], {"release_reason": f"act {name}", **extra.get("with", {})})
        return {**self.runners[name].finish(extra.get("within", self.wait)), "output": self.runners[name].output()}

    def _do_control(self, verb: str, extra: JSON) -> JSON:
        name = extra.get("label", verb).replace(" ", "-")
        self._start(name, f"{COLLECTION}.{verb}", [], {"release_reason": f"act {verb}", **extra.get("with", {})})
        return {**self.runners[name].finish(extra.get("within", self.wait)), "output": self.runners[name].output()}

    def _do_finish(self, name: str, extra: JSON) -> JSON:
        return {**self.runners[name].finish(extra.get("within", 2 * self.wait)), "output": self.runners[name].output()}

    def _do_until(self, wanted: JSON, extra: JSON) -> None:
        target = extra.get("target", self.first)
        deadline = time.monotonic() + extra.get("within", self.wait)
        while not self.holds(wanted, target):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{target} never came to {wanted}; the record says {self.cluster.record(target, self.release)}")
            time.sleep(POLL_SECONDS)

    def _do_kill(self, name: str, _extra: JSON) -> None:
        self.runners[name].kill()

    def _do_kill_parent(self, name: str, _extra: JSON) -> None:
        self.runners[name].kill_parent()

    def _do_freeze(self, name: str, _extra: JSON) -> None:
        self.runners[name].freeze()

    def _do_wake(self, name: str, _extra: JSON) -> None:
        self.runners[name].wake()

    def _do_remember(self, label: str, extra: JSON) -> None:
        self.remembered[label] = self.cluster.snapshot(extra.get("target", self.first))

    def _do_differs(self, label: str, extra: JSON) -> JSON:
        return {"differences": difference(self.remembered[label], self.cluster.snapshot(extra.get("target", self.first)))}

    def _do_pause(self, seconds: float, _extra: JSON) -> None:
        time.sleep(seconds)

    def _do_run(self, command: list[str], extra: JSON) -> JSON:
        done = subprocess.run(command, capture_output=True, text=True, timeout=extra.get("within", self.wait), check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return {"stdout": done.stdout}

    def _do_restart_api_server(self, node: str, _extra: JSON) -> None:
        """End the kube-apiserver process in the node; the kubelet starts it again."""
        sys.path.insert(0, str(CHECKOUT / "lab"))
        from pdlab.engine import find_engine  # noqa: PLC0415 - the lab is no package of this folder

        environment = {**os.environ, **find_engine().env}
        subprocess.run(["docker", "exec", node, "pkill", "-9", "-x", "kube-apiserver"], env=environment, check=True, timeout=self.wait)

    def _set_stage(self) -> None:
        """Fresh targets, one after another (the lab's machine is small), then load, then what Prometheus needs to know."""
        with self.stage["lock"]:
            for target in self.targets:
                self._do_run([*LAB, "target", target, "--replicas", str(REPLICAS)], {"within": 2 * self.wait})
        for target in self.targets:
            self._replace_workload(target)
            self._replace_routes(target)
            self.routes[target] = self._route_text(target)
            if self._rate(target):
                self.loads[target] = self._start_load(target)
        for target in self.loads:
            if self._variables(target)["release_gates"]:
                await_metrics(self.cluster, self.stage["prometheus"], target)

    def _replace_routes(self, target: str) -> None:
        """Put the story's own routes in the place of the lab's, where it has some; return when the gateway serves them."""
        if "routes" not in self.told:
            return
        from pdlab.cluster import DEFAULT, gateway_port  # noqa: PLC0415 - the lab is no package of this folder
        from pdlab.target import await_answer  # noqa: PLC0415

        text = string.Template(Path(self.told["routes"]).read_text())
        objects = text.substitute(namespace=target, proxy_image=self.cluster.proxy_image())
        kubectl = ["kubectl", "--kubeconfig", self.stage["kubeconfig"]]
        self._do_run([*kubectl, "-n", target, "delete", "virtualservice", "shop"], {})
        subprocess.run([*kubectl, "apply", "-f", "-"], input=objects, text=True, check=True, capture_output=True, timeout=self.wait)
        version = self.told.get("stable") or (self._stable_image(target) or "").rpartition(":")[2]
        await_answer(gateway_port(DEFAULT), self.stage["host_template"].format(target), version)

    def _replace_workload(self, target: str) -> None:
        """Put the story's own workload in the place of the lab's Deployment, where it has one; return when it is whole."""
        if "workload" not in self.told:
            return
        kubectl = ["kubectl", "--kubeconfig", self.stage["kubeconfig"], "-n", target]
        objects = string.Template(Path(self.told["workload"]["objects"]).read_text()).substitute(namespace=target)
        self._do_run([*kubectl, "delete", "deployment", "shop", "--wait"], {})
        subprocess.run([*kubectl, "apply", "-f", "-"], input=objects, text=True, check=True, capture_output=True, timeout=self.wait)
        status = ["rollout", "status", f"{self._kind.lower()}/shop", f"--timeout={self.wait:.0f}s"]
        self._do_run([*kubectl, *status], {"within": 2 * self.wait})

    @property
    def _kind(self) -> str:
        return str(self.told.get("workload", {}).get("kind", "Deployment"))

    def _leave_stage(self) -> None:
        """Make room for others on the node; a story that broke off leaves its targets to be looked at."""
        for target in self.targets:
            subprocess.run([*LAB, "target", target, "--remove"], check=False, capture_output=True, timeout=2 * self.wait)

    def _start(self, name: str, playbook: str, options: list[str], extra: JSON) -> None:
        inventory = self.folder / f"{self.first}-{name}.inventory.json"
        common = {"kubeconfig": self.stage["kubeconfig"], "ansible_python_interpreter": sys.executable}
        hosts = {one: {**common, **self._variables(one), **extra} for one in self.targets}
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        log = self.folder / f"{self.first}-{name}.log"
        self.runners[name] = Runner([playbook, "-i", str(inventory), "--forks", str(len(hosts)), *options], log)

    def _variables(self, target: str) -> JSON:
        return {"release_namespace": target, **self.stage["vars"], **self.told.get("vars", {}), **self.targets[target]}

    def _rate(self, target: str) -> int:
        return int(self.told.get("load", self.stage["load"]))

    def _load_file(self, target: str) -> Path:
        return self.folder / f"{target}.load"

    def _start_load(self, target: str) -> subprocess.Popen[bytes]:
        host = self.stage["host_template"].format(target)
        options = [
            "--host",
            host,
            "--rate",
            str(self._rate(target)),
            "--duration",
            f"{min(LONGEST_LOAD_SECONDS, LOAD_SECONDS * self.patience):.0f}s",
            "--out",
            str(self._load_file(target)),
        ]
        with (self.folder / f"{target}.load.log").open("wb") as output:
            return subprocess.Popen([*LAB, "load", *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def _load_lasts(self) -> None:
        ended = [target for target, process in self.loads.items() if process.poll() is not None]
        if ended:
            raise RuntimeError(f"the load on {', '.join(ended)} ended too early; see {self.folder}/{ended[0]}.load.log")

    def _end_load(self) -> None:
        for process in self.loads.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.loads.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def _facts(self, target: str) -> JSON:
        stable = self.cluster.find(self._kind, target, self._workload(target)) or {"spec": {}, "status": {}}
        status = stable.get("status") or {}
        wanted, ready, updated = COUNTS[self._kind]
        record = self.cluster.record(target, self.release)
        return {
            "image": self._stable_image(target),
            "deployments": [one["metadata"]["name"] for one in self.cluster.list("Deployment", target)],
            "service": (self.cluster.find("Service", target, self.service) or {"spec": {}})["spec"].get("selector"),
            "replicas": stable["spec"].get("replicas", status.get(wanted)),
            "ready": status.get(ready, 0),
            "updated": status.get(updated, 0),
            "update_strategy": stable["spec"].get("updateStrategy"),
            "leftovers": leftovers(self.cluster, target),
            "route_as_before": self.routes.get(target) == self._route_text(target),
            "route": self._route_text(target),
            "record": record,
            "records": sorted(
                one["metadata"]["name"] for one in self.cluster.list("ConfigMap", target) if RECORD in (one["metadata"].get("labels") or {})
            ),
            "load": load_log.summary(self._load_file(target), record) if target in self.loads else {},
        }

    def _workload(self, target: str) -> str:
        """The workload that serves: as the record says, or what the release began from; a story that tells a service calls both alike."""
        begun = self.told.get("service") or str(self._variables(target)["release_workload"]).partition("/")[2]
        return self.cluster.record(target, self.release).get("serves") or begun

    def _stable_image(self, target: str) -> str | None:
        found = self.cluster.find(self._kind, target, self._workload(target))
        return found["spec"]["template"]["spec"]["containers"][0]["image"] if found else None

    def _route_text(self, target: str) -> str:
        found = self.cluster.find(self.told.get("route", "VirtualService"), target, self.service)
        return json.dumps(found["spec"]) if found else ""

    def _route_percent(self, target: str) -> int:
        """The canary's share as the VirtualService says it."""
        rules = json.loads(self._route_text(target))["http"]
        return sum(
            d.get("weight", 0)
            for rule in rules
            for d in rule.get("route", [])
            if d["destination"]["host"].startswith(f"{self.service}-canary")
        )


def _on_the_command_line(extra: JSON) -> list[str]:
    return ["-e", json.dumps(extra["extra"])] if "extra" in extra else []


def expanded(stories: list[JSON]) -> list[JSON]:
    """Stories with points, once for each point; "point" stands for it, and targets get a number."""
    found = []
    for story in stories:
        for number, point in enumerate(story.get("points", [None])):
            one = copy.deepcopy(story)
            if point is not None:
                one["name"] = f"{story['name']}: {' '.join(f'{k} {v}' for k, v in point.items())}"
                one["targets"] = {f"{target}-{number}": variables for target, variables in story["targets"].items()}
                one["acts"] = [{**act, "until": point} if act.get("until") == "point" else act for act in one["acts"]]
            found.append(one)
    return found


def main(kind: type[Story] = Story) -> int:
    stage = json.load(sys.stdin)
    folder = Path(stage["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    starvation = Starvation()
    stage["lock"] = threading.Semaphore(2)
    places = threading.Semaphore(int(stage.get("side_by_side", 4)))
    stories = expanded(stage["stories"])
    told: list[JSON] = []

    def play(story: JSON) -> None:
        with places:
            told.append(kind(story, stage).play())

    threads = [threading.Thread(target=play, args=[story]) for story in stories]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    facts = {"stories": sorted(told, key=lambda one: one["name"]), "expected": len(stories), "starved": starvation.ratio()}
    (folder / stage.get("facts", "facts.json")).write_text(json.dumps(facts, indent=1))
    for one in facts["stories"]:
        print(f"{'BROKE OFF' if one['error'] else 'played'}: {one['name']}\n{one['error']}")
    return 1 if any(one["error"] for one in told) or len(told) < len(stories) else 0


if __name__ == "__main__":
    raise SystemExit(main())
