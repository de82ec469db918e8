# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are whole or not there, and written only where they would differ."""

import os

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report import folder


def test_only_what_differs_is_written(tmp_path):
    where = tmp_path / "releases" / "shop-1"
    assert folder.write(str(where), {"a": "1\r\n", "b": "2"}) == ["a", "b"]
    assert folder.write(str(where), {"a": "1\r\n", "b": "2"}) == []
    assert folder.differing(str(where), {"a": "1\r\n", "b": "3", "c": ""}) == ["b", "c"]
    assert folder.write(str(where), {"a": "1\r\n", "b": "3"}) == ["b"]
    assert ((where / "a").read_bytes(), (where / "b").read_text()) == (b"1\r\n", "3")


def test_a_file_is_as_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        folder.write(str(tmp_path), {"a": "1"})
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    folder.write(str(tmp_path), {"a": "old"})

    def fails(*_names):
        raise OSError("no")

    monkeypatch.setattr(folder.os, "replace", fails)
    with pytest.raises(OSError, match="no"):
        folder.write(str(tmp_path), {"a": "new"})
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]
