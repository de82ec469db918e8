"""The lab's own network, and the rule that keeps everything on it inside the machine.

A service address that kube-proxy has not programmed yet is routed to the node's gateway and from there, without this
rule, out of the machine. The rule refuses whatever enters the host from the lab's bridge and would leave by another interface.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .cache import key_of
from .errors import LabError
from .packages import search_path
from .paths import cache_root
from .progress import say
from .shell import ask, succeeds

NETWORK = "pd-lab"
_BRIDGE_OPTION = "com.docker.network.bridge.name"
# An address of TEST-NET-2 (RFC 5737): belongs to nobody, should the rule fail.
_NOBODY = "198.51.100.1"


def ensure_network(env: Mapping[str, str]) -> None:
    """The network, with the rule for its bridge."""
    if not succeeds(["docker", "network", "inspect", NETWORK], env=env):
        ask(["docker", "network", "create", "--driver", "bridge", "-o", f"{_BRIDGE_OPTION}={_own_bridge()}", NETWORK], env=env)
    if not _may_leave():
        _set_rule(_bridge(env))


def keep_inside() -> None:
    """Sets the rule for our own bridge, before the engine starts: it may start nodes again at once. Raises LabError where that fails."""
    if not _may_leave():
        _set_rule(_own_bridge())


def prove_kept_inside(env: Mapping[str, str], image: str) -> None:
    """Proves the rule with a packet from a container of `image`, before a cluster starts. Raises LabError where it gets through."""
    if _may_leave():
        say("PD_LAB_EGRESS=allow: nothing keeps the lab's traffic on this machine")
        return
    bridge = _bridge(env)
    before = _refused(bridge)
    _knock(env, image)
    if _refused(bridge) <= before:
        raise LabError(f"A test packet from the lab's network did not meet the rule that refuses it, so no cluster is started.\n{_ADVICE}")


_ADVICE = "Run as root where iptables can be changed, or set PD_LAB_EGRESS=allow if this machine may talk to the outside."


def _may_leave() -> bool:
    return os.environ.get("PD_LAB_EGRESS") == "allow"


def _set_rule(bridge: str) -> None:
    env = {"PATH": search_path()}
    if succeeds(_iptables("-C", *_rule(bridge)), env=env):
        return
    # The engine uses the chain that it finds.
    succeeds(_iptables("-N", "DOCKER-USER"), env=env)
    try:
        ask(_iptables("-I", *_rule(bridge)), env=env)
    except LabError as error:
        raise LabError(f"Traffic of the lab cannot be kept on this machine, so nothing is started.\n{error}\n{_ADVICE}") from error


def remove_rule() -> None:
    while succeeds(_iptables("-D", *_rule(_own_bridge())), env={"PATH": search_path()}):
        pass


def remove_network(env: Mapping[str, str]) -> None:
    succeeds(["docker", "network", "rm", NETWORK], env=env)


def _knock(env: Mapping[str, str], image: str) -> None:
    """Sends the start of one connection to an address that is nobody's; the container's own failure is expected."""
    script = f"(exec 3<>/dev/tcp/{_NOBODY}/80) 2>/dev/null || true"
    ask(
        ["docker", "run", "--rm", "--pull=never", "--network", NETWORK, "--entrypoint", "timeout", image, "3", "bash", "-c", script],
        env=env,
        timeout=60,
    )


def _refused(bridge: str) -> int:
    """Packets that the rule has refused so far."""
    for line in ask(_iptables("-nvxL", "DOCKER-USER"), env={"PATH": search_path()}).splitlines():
        words = line.split()
        if "REJECT" in words and bridge in words:
            return int(words[0])
    raise LabError("The rule is not in the chain DOCKER-USER.")


def _rule(bridge: str) -> list[str]:
    return ["DOCKER-USER", "-i", bridge, "!", "-o", bridge, "-j", "REJECT"]


def _bridge(env: Mapping[str, str]) -> str:
    """Name of the network's bridge, whoever created it."""
    return ask(["docker", "network", "inspect", "--format", f'{{{{index .Options "{_BRIDGE_OPTION}"}}}}', NETWORK], env=env).strip()


def _own_bridge() -> str:
    """Name of the bridge (at most 15 letters); each cache has its own, so that labs side by side do not meet."""
    return f"pdlab-{key_of(str(cache_root()))[:8]}"


def _iptables(*arguments: str) -> list[str]:
    return ["iptables", "-w", "10", *arguments]
