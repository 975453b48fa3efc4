"""Rolling restarts of a fleet under load: a gateway with the shipped service config does not lose a login."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.fixtures.fleet import fleet, load, login, suspended_login
from tests.fixtures.suspensions import AFTER, CHALLENGE
from tests.fixtures.tenants import GATE, SLOW, define

pytestmark = pytest.mark.long

ROLLS = int(os.environ.get("ROLLS", "100"))
SEED = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1 << 32)


def test_no_login_fails_over_a_hundred_rolling_restarts(tmp_path: Path) -> None:
    """A hundred times each of three replicas is restarted, in an order and at moments that the seed gives."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    with fleet(tmp_path, 3, "--drain-delay-s", "0.1") as replicas:
        replicas.publish(define("acme", GATE), define("asks", CHALLENGE, AFTER), define("slow", SLOW))
        works = [login("acme"), login("acme"), suspended_login("asks"), login("slow")]
        began_s = time.monotonic()
        with load(replicas.target, works, pause_s=0.05) as tally:
            for roll in range(ROLLS):
                for at in chance.sample(range(3), 3):
                    replicas.restart(at)
                    time.sleep(chance.uniform(0, 0.1))
                if tally.failures:
                    pytest.fail(f"seed {SEED}, roll {roll + 1}: {tally.failures}")
        took_s = time.monotonic() - began_s
    print(f"{ROLLS} rolls in {took_s:.0f} s: {dict(tally.outcomes)}, slowest {tally.slowest_s:.2f} s")
    assert not tally.failures
