# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client of webhooks over TLS: who is trusted, who is let in, and what is said when not."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.webhook_client import Post, Reply, longest_seconds, post, quote
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_authority import Authority
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_hooks import Receiver


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def receiver(authority):
    made = Receiver()
    made.socket = authority.server().wrap_socket(made.socket, server_side=True)
    made.handle_error = lambda *_arguments: None
    yield made
    made.close()


def test_a_receiver_that_asks_who_comes_is_reached_with_a_certificate_and_only_with_it(authority, receiver):
    url = receiver.hook("event")["url"].replace("http://", "https://")
    certificate, key = authority.issue("client")
    whole = Post(url, ca_cert=authority.file, client_cert=certificate, client_key=key)
    assert post(whole, {}) == Reply(200, "(empty)")
    assert post(Post(url, validate_certs=False, client_cert=certificate, client_key=key), {}).agrees
    untrusted, unknown = post(Post(url, client_cert=certificate, client_key=key), {}), post(Post(url, ca_cert=authority.file), {})
    assert "certificate verify failed" in untrusted.text
    assert (untrusted.status, unknown.status) == (None, None)
    assert receiver.seen.keys() == {"event/gate"}
    assert len(receiver.seen["event/gate"]) == 2


def test_files_that_are_not_there_are_no_answer_and_no_crash():
    reply = post(Post("https://127.0.0.1:1/", ca_cert="/nowhere/ca.pem", client_cert="/nowhere/c.pem"), {})
    assert (reply.status, reply.agrees, bool(reply.text)) == (None, False, True)


def test_texts_are_quoted_in_one_line_of_200_characters():
    assert quote(" a\n b\t") == "a b"
    assert quote("") == "(empty)"
    assert quote("x" * 201) == "x" * 200 + "…"


def test_the_longest_time_counts_attempts_and_pauses():
    assert (longest_seconds(10, 0), longest_seconds(10, 2)) == (10, 34)
