"""What a real daemon says of each limit: its verdict, its name, the line where there is one, and what is kept."""

import re
from collections.abc import Iterator

import pytest
from vestibule.v1 import decision_pb2

from runtime.config.effective import Config
from tests.fixtures.daemons import Daemon, served
from tests.fixtures.tenants import BOB, HOARD, LOOP, MFA, define

ACTION_MS, FLOW_MS = 400, 1000
ENTRY = "def on_execute_post_login(event, api):\n"
FIRST = ENTRY + "    api.user.set_user_metadata('first', 'kept')\n"
LAST = ENTRY + "    api.user.set_user_metadata('last', 'kept')\n"
# One operation in C that looks for no signal, so that the worker's own alarm cannot end it.
HELD = ENTRY + "    api.user.set_user_metadata('held', 'lost')\n    max(map(max, *[[0] * 10 ** 6] * 10 ** 4))\n"

# What is used up -> source, verdict, the error's type, line.
LIMITS = {
    "time": (LOOP, "TIMED_OUT", "BudgetExceeded", 2),
    "time, in C": (HELD, "TIMED_OUT", "BudgetExceeded", 0),
    "memory": (HOARD, "EXHAUSTED", "MemoryLimitExceeded", 4),
    "output": (ENTRY + "    while True:\n        print('x' * 1000)\n", "EXHAUSTED", "OutputLimitExceeded", 3),
    "reply": (ENTRY + "    api.user.set_app_metadata('a', 'x' * 20_000)\n", "EXHAUSTED", "ReplyLimitExceeded", 0),
    "commands": (
        ENTRY + "    while True:\n        api.user.set_user_metadata('a', 1)\n",
        "EXHAUSTED",
        "CommandsLimitExceeded",
        3,
    ),
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with small limits."""
    flags: tuple[str, ...] = ("--sandbox-action-timeout-ms", str(ACTION_MS), "--sandbox-flow-timeout-ms", str(FLOW_MS))
    # A login has long on the clock: a machine that runs tests gives a loop its budget of processor time when it can.
    flags += ("--sandbox-reply-bytes", "16KiB", "--pool-queue-wait-ms", "20000")
    # Filled well within the budget also where pages come slowly: 128 MiB took 140 of its 400 ms beside other load.
    flags += ("--sandbox-memory-bytes", "64MiB")
    with served(tmp_path_factory.mktemp("limits"), *flags) as daemon:
        yield daemon


def verdicts(decision: decision_pb2.Decision) -> list[str]:
    """Name how each action ended."""
    return [decision_pb2.Verdict.Name(report.verdict).removeprefix("VERDICT_") for report in decision.executions]


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_has_its_verdict_and_its_name(daemon: Daemon, limit: str) -> None:
    """The report of the action that used it up names it; what the actions before and behind it asked for stands."""
    source, verdict, error_type, line = LIMITS[limit]
    name = "limit-" + "".join(char for char in limit.lower() if char.isalpha())
    daemon.publish(define(name, FIRST, source, LAST))
    kills = daemon.metric("vestibule_worker_kills_total", reason="deadline")
    for _ in range(2):
        decision = daemon.call(name)
        assert verdicts(decision) == ["COMPLETED", verdict, "COMPLETED"]
        error = decision.executions[1].error
        assert (error.type, error.line) == (error_type, line)
        assert error.message
        assert (decision.outcome, decision.degraded) == (MFA, True)
        assert dict(decision.on_any_outcome.user_metadata) == {"first": "kept", "last": "kept"}
        assert not decision.on_any_outcome.app_metadata
    killed = daemon.metric("vestibule_worker_kills_total", reason="deadline") - kills
    assert killed == (2 if limit == "time, in C" else 0)


def test_the_flows_budget_ends_what_is_left_of_it(daemon: Daemon) -> None:
    """Of four endless actions two have their own budget, the third what is left of the flow's, and the last nothing."""
    daemon.publish(define("endless", LOOP, LOOP, LOOP, LOOP))
    decision = daemon.call("endless")
    assert verdicts(decision) == ["TIMED_OUT"] * 4
    told = [re.search(r"budget of (\d+) ms.* had (\d+) ms", report.error.message) for report in decision.executions]
    budgets, had = zip(*((int(found[1]), int(found[2])) for found in told if found is not None), strict=True)
    assert budgets[:2] == (ACTION_MS, ACTION_MS)
    assert 0 < budgets[2] <= FLOW_MS - 2 * ACTION_MS
    # Each report says what it really had of the processor; the last, what those before it had of the flow's budget.
    assert all(ours >= budget for ours, budget in zip(had, budgets, strict=True))
    assert budgets[3] == FLOW_MS
    last = decision.executions[3]
    assert last.wall_time.ToMicroseconds() == 0
    assert last.error.message


def test_a_budget_begins_with_the_action_and_not_with_its_compiling(daemon: Daemon) -> None:
    """The first login of a tenant takes longer than the budget of its large action, which ends within it."""
    budget_ms = 60
    large = ENTRY + "".join(f"    if event.user.email == 'u{n}@example.com': return\n" for n in range(1_800))
    daemon.publish(define("large", large + "    api.multifactor.enable('any')\n", timeout_ms=budget_ms))
    decision = daemon.call("large", BOB)
    assert verdicts(decision) == ["COMPLETED"]
    assert decision.wall_time.ToMilliseconds() > budget_ms
    assert decision.executions[0].cpu_time.ToMilliseconds() <= budget_ms
    assert (decision.outcome, decision.degraded) == (MFA, False)


def test_defaults_are_those_that_are_promised() -> None:
    """A second for an action, five for a flow, 128 MiB; events of a mebibyte."""
    config = Config()
    assert (config.sandbox.action_timeout_ms, config.sandbox.flow_timeout_ms) == (1000, 5000)
    assert (config.sandbox.memory_bytes, config.limits.event_bytes) == (128 << 20, 1 << 20)
    assert (config.listen, config.metrics_listen) == ("127.0.0.1:50051", "127.0.0.1:9464")
    assert set(config.sandbox.required_layers) == {"seccomp", "landlock", "rlimits", "no_new_privs"}
