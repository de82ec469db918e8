# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of fake_world with runners that can be killed: they do nothing more, and the next one may take their Lease."""

import pytest
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_world import World

LEASE = ("Lease", "eu", "progressive-delivery-deployment-shop")


class Killed(BaseException):
    """What a process does that is killed: nothing more."""


class MortalWorld(World):
    """Every request of a runner that was killed raises Killed."""

    dead = False

    def request(self, *arguments, **options):
        if self.dead:
            raise Killed
        return super().request(*arguments, **options)

    def die(self):
        self.dead = True
        raise Killed

    def killed(self, word, **changed):
        """Run until a line with that word is said, where the runner is killed; its Lease is one of a dead process afterwards."""
        self.at[word] = self.die
        with pytest.raises(Killed):
            self.start(**changed)
        self.bury()

    def bury(self, holder=""):
        """Its Leases are those of a dead process of this machine, or of a holder of whom nobody knows."""
        self.dead = False
        for name in self.names("Lease"):
            self.objects["Lease", "eu", name]["spec"]["holderIdentity"] = holder
