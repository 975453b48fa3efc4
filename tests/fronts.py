"""The fronts of the gRPC server: what is true of one is tested of the other too."""

import pytest

from tests.calls import Refused
from tests.fixtures.daemons import Daemon
from tests.fixtures.states import right
from tests.fixtures.waiting import until

BOTH = ("fast", "stock")
STOCK_LATER = ("fast", pytest.param("stock", marks=pytest.mark.long))
"""For tests that take seconds: `make test` runs them on the fast front, `make test-long` on the stock one."""

RESTARTS = frozenset({"rpc.listener_restarted", "task.failed", "library.complained"})
"""What the log has to say of a server of the stock front that a call has ended."""


def recovered(daemon: Daemon, name: str) -> None:
    """Wait until logins are decided rightly on the connection that the daemon's rig keeps.

    A server of the stock front that a call has ended takes that connection with it. A login that is decided came in
    after that call, and so by the next server.
    """

    def decided() -> bool:
        try:
            right(daemon, name)
        except Refused as refused:
            if refused.code in ("CANCELLED", "UNAVAILABLE"):
                return False
            raise
        return True

    until(decided, "logins are decided again")
