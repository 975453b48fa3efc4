"""Two thousand logins, one in twenty hostile: what `vestibule bench --soak` makes a hundred thousand of."""

from pathlib import Path

from runtime.bench import soak
from runtime.bench.bench import Bench
from runtime.bench.loads import OwnClient

LOGINS = 2000
# Room for what a daemon may still warm up with in so few logins; a leak of a page a login would not fit.
GROWTH_MIB = 6.0


def test_two_thousand_logins_leave_nothing(tmp_path: Path) -> None:
    """Each login is answered rightly, and afterwards there is no process, descriptor or thread more than before."""
    bench = Bench(tmp_path, OwnClient(), True, 1, lambda _: None, LOGINS)
    rows = {row.what: row for row in soak.soak(bench)}
    assert rows["logins, each answered rightly"].value == LOGINS
    counted = {what: row.value for what, row in rows.items() if row.target is not None}
    assert len(counted) == 6
    assert not any(value > 0 for value in counted.values()), counted
    assert rows["resident memory of the daemon, growth"].value < GROWTH_MIB
    assert rows["resident memory of the zygote, growth"].value < GROWTH_MIB
