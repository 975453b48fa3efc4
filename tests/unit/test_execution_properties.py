"""Actions that do whatever could tell two runs apart: the same source, event, clock and seed give the same bytes."""

import time

from hypothesis import given
from hypothesis import strategies as st
from vestibule.v1 import event_pb2

from sandbox.action import alarm, execution
from sandbox.action.live import FlowState
from sandbox.contract.surface import ENTRY
from sandbox.language import compiler
from sandbox.reach.interrupts import reset
from tests.effort import effort

NOW_NS = 1_700_000_000_123_456_789
PATIENCE_NS = 60 * 10**9
OUTPUT_BYTES = 4096
EVENT = event_pb2.PostLoginEvent(user=event_pb2.User(user_id="u"), authorization=event_pb2.Authorization(roles=["r"]))

HEAD = """\
import collections, datetime, decimal, itertools, json, logging, random, re, secrets, time, uuid

kept = []

def on_execute_post_login(event, api):
    seen = [1, "b"]
"""
CHANCE = (
    "random.random()", "random.getrandbits(99)", "random.sample(range(50), 5)", "secrets.token_hex()", "uuid.uuid1()",
    "uuid.uuid4()", "secrets.randbelow(9)", "random.choice('abc')",
)  # fmt: skip
# Time, the order of sets, addresses in text, what an earlier run could have left, and errors in the runtime's words.
TELLING = (
    *CHANCE, "datetime.datetime.now()", "time.time()", "time.monotonic()", "time.perf_counter()", "set('abcdef')",
    "{'x', 1, None, 2.5}", "frozenset(map(str, range(20)))", "print", "(x for x in [1])", "lambda: 0", "event", "api",
    "event.user", "api.user", "iter([])", "re.compile('a')", "logging.getLogger('x')", "itertools.count()", "kept",
    "collections.Counter('abca')", "decimal.Decimal(1) / 3", "seen", "Exception('x')", "api.cache.get('k')",
    "json.dumps({'b': [1], 'a': None})", "api.roles.get_user_effective_roles()", "[].pop()", "{}['k']", "1 / 0",
)  # fmt: skip

_told = st.sampled_from(TELLING)
_statements = st.one_of(
    _told.map(lambda e: f"print({e})"),
    _told.map(lambda e: f"logging.warning('%s', {e})"),
    _told.map(lambda e: f"seen.append({e})"),
    _told.map(lambda e: f"kept.append({e})"),
    _told.map(lambda e: f"api.id_token.set_custom_claim('https://x.example/c', str({e}))"),
    _told.map(lambda e: f"api.user.set_app_metadata('k', repr({e}))"),
    _told.map(lambda e: f"api.cache.set('k', str({e}))"),
    _told.map(lambda e: f"raise ValueError({e})"),
    _told.map(lambda e: f"for each in itertools.islice({e}, 9): print(each)"),
    st.tuples(_told, _told).map(lambda two: f"if str({two[0]}) < str({two[1]}): api.access.deny(str(seen))"),
    st.sampled_from(
        [
            "random.shuffle(seen)",
            "api.transaction.set_metadata('k', random.random())",
            "api.multifactor.enable(random.choice(['any', 'duo', 'none']))",
            "api.authentication.challenge_with({'type': random.choice(['otp', 'phone'])})",
            "api.cache.set('k', 'v', ttl=random.randrange(1, 10 ** 6))",
        ]
    ),
)
programs = st.lists(_statements, min_size=1, max_size=6).map(
    lambda lines: HEAD + "".join(f"    {line}\n" for line in lines)
)
seeds = st.binary(min_size=16, max_size=16)


def report(source: str, seed: bytes) -> tuple[bytes, execution.Ending]:
    """Run an action as a worker does; return its report, which has no times."""
    alarm.install()
    code = compiler.compile_action(source, alarm.ACTION_FILENAME)
    try:
        done, end, _ = execution.execute(
            code,
            ENTRY,
            EVENT,
            {"KEY": "value"},
            NOW_NS,
            seed,
            time.monotonic_ns(),
            PATIENCE_NS,
            OUTPUT_BYTES,
            FlowState(),
        )
    finally:
        alarm.disarm()
        reset()
    return done, end


@effort(60)
@given(programs, programs, seeds, seeds)
def test_same_inputs_same_bytes(source: str, other: str, seed: bytes, another: bytes) -> None:
    """An execution's report is a function of its inputs, whatever ran in this process in between."""
    first = report(source, seed)
    report(other, another)
    assert report(source, seed) == first


@effort(25)
@given(st.sampled_from(CHANCE[:6]), seeds, seeds)
def test_control_another_seed_gives_other_bytes(chance: str, seed: bytes, another: bytes) -> None:
    """Control: what the programs draw comes from the seed, and is seen in the report."""
    source = f"{HEAD}    print({chance})\n"
    assert (report(source, seed) == report(source, another)) is (seed == another)


def test_control_the_programs_say_something() -> None:
    """Control: most programs complete or fail at run time with something to compare, and few are refused."""
    loud: list[bool] = []

    @effort(30, database=None, derandomize=True)
    @given(programs, seeds)
    def count(source: str, seed: bytes) -> None:
        loud.append(report(source, seed)[0] != execution.DONE)

    count()
    assert sum(loud) * 2 > len(loud)
