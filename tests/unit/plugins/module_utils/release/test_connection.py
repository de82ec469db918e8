# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a target's cluster is reached: by the task, by the names of an inventory, by those of kubernetes.core's environment as variables."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.arguments import connection, split


def plain(value):
    return value


def test_what_the_task_says_wins_over_the_inventory_and_that_over_the_names_of_the_environment():
    variables = {"kubeconfig": "of-the-inventory", "K8S_AUTH_KUBECONFIG": "of-the-environment", "K8S_AUTH_CONTEXT": "prod"}
    assert connection({"kubeconfig": "of-the-task"}, variables, plain) == {"kubeconfig": "of-the-task", "context": "prod"}
    assert connection({}, variables, plain)["kubeconfig"] == "of-the-inventory"
    assert connection({}, {**variables, "kubeconfig": ""}, plain)["kubeconfig"] == "of-the-environment"


@pytest.mark.parametrize(
    ("variable", "value", "option", "read"),
    [
        ("K8S_AUTH_HOST", "https://eu.example:6443", "host", "https://eu.example:6443"),
        ("K8S_AUTH_API_KEY", "secret", "api_key", "secret"),
        ("K8S_AUTH_SSL_CA_CERT", "/ca.crt", "ca_cert", "/ca.crt"),
        ("K8S_AUTH_CERT_FILE", "/a.crt", "client_cert", "/a.crt"),
        ("K8S_AUTH_KEY_FILE", "/a.key", "client_key", "/a.key"),
        ("K8S_AUTH_VERIFY_SSL", "no", "validate_certs", False),
        ("K8S_AUTH_VERIFY_SSL", True, "validate_certs", True),
        ("K8S_AUTH_VALIDATE_CERTS", "true", "validate_certs", True),
        ("K8S_AUTH_IMPERSONATE_GROUPS", "a, b", "impersonate_groups", ["a", "b"]),
    ],
)
def test_every_name_of_the_environment_may_be_a_hosts_variable(variable, value, option, read):
    assert connection({}, {variable: value}, plain) == {option: read}


def test_a_variable_is_a_template_and_one_that_only_looks_like_an_option_is_none():
    variables = {"K8S_AUTH_API_KEY": "{{ vaulted }}", "host": "not-a-cluster", "username": "not-for-kubernetes", "password": "neither"}
    assert connection({}, variables, lambda value: value.replace("{{ vaulted }}", "secret")) == {"api_key": "secret"}


def test_the_release_gets_nothing_of_it():
    release, found = split({"context": "prod", "release_name": "shop"}, {"K8S_AUTH_API_KEY": "secret"}, plain)
    assert (release, found) == ({"release_name": "shop"}, {"context": "prod", "api_key": "secret"})
