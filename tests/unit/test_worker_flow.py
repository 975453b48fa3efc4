"""What a worker makes of the steps of a flow: what ends it, what suspends it, and what one step leaves to the next."""

import gc
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from vestibule.v1 import event_pb2
from vestibule.worker.v1 import worker_pb2

from sandbox.action import alarm
from sandbox.contract import exit_codes, journal, wire
from sandbox.contract.report import Verdict
from sandbox.language import compiler
from sandbox.process import worker
from sandbox.process.channel import Channel
from sandbox.reach import interrupts

NOW_MS = 1_700_000_000_000
BUDGET_US = 10_000_000
SILENT = "def on_execute_post_login(event, api):\n    pass\n"

Ask = Callable[..., list[worker_pb2.StepReport]]


def action(body: str, continues: str = "") -> str:
    source = f"def on_execute_post_login(event, api):\n    {body}\n"
    return source + (f"def on_continue_post_login(event, api):\n    {continues}\n" if continues else "")


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Ask one worker, which lives in this process, to run sources in order; return the reports of those that ran.

    One for all of these, because compiling collects the garbage of the process, which is much in a test's.
    """
    ours, theirs = socket.socketpair()
    thresholds, handler = gc.get_threshold(), signal.getsignal(signal.SIGALRM)
    alarm.install()
    held = worker.QuestionRunner(Channel(theirs.fileno(), theirs.fileno()), memoryview(bytearray(64 * 1024)))

    def answer(*sources: str, handlers: tuple[str, ...] = (), **rest: Any) -> list[worker_pb2.StepReport]:
        steps = [
            worker_pb2.Step(action="a", revision=hashlib.sha256(source.encode()).digest(), source=source,
                            budget_us=BUDGET_US, handler=handlers[at] if at < len(handlers) else "")
            for at, source in enumerate(sources)
        ]  # fmt: skip
        flow = worker_pb2.FlowSteps(steps=steps).SerializeToString()
        event = event_pb2.PostLoginEvent(user=event_pb2.User(user_id="u")).SerializeToString()
        unusual = worker_pb2.RunFlow(**rest).SerializeToString()
        held.answer(wire.run_flow(7, NOW_MS * 10**6, bytes(16), BUDGET_US, 1024, event, flow, unusual))
        return list(worker_pb2.FlowReply.FromString(Channel(ours.fileno(), ours.fileno()).read()).steps)

    with ours, theirs:
        yield answer
    alarm.disarm()
    signal.signal(signal.SIGALRM, handler)
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_question_clears_what_the_last_one_noted(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it notes its own number: a worker that dies in between must not report the login before."""
    seen: list[tuple[journal.JournalEntry, int]] = []
    write_phase = journal.write_phase

    def noted(view: memoryview, nonce: int, *rest: Any) -> None:
        seen.append((journal.read(view), nonce))
        write_phase(view, nonce, *rest)

    monkeypatch.setattr(journal, "write_phase", noted)
    ask(SILENT, SILENT)
    ask(SILENT, SILENT)
    (first, _), (control, nonce) = seen[-2:]
    assert first == journal.JournalEntry(0, 0, 0, journal.Phase.IDLE, b"")
    assert control.reports
    assert control.nonce == nonce


CHALLENGE = "api.authentication.challenge_with({'type': 'otp'})"
PAGE = "api.redirect.send_user_to('https://x.example')"


@pytest.mark.parametrize(
    ("source", "ran"),
    [
        (action(CHALLENGE), 2),
        (action("api.authentication.enroll_with_any([{'type': 'otp'}])"), 2),
        (action(PAGE, "pass"), 2),
        (action("api.prompt.render('p')", "pass"), 2),
        (action(f"{CHALLENGE}; print('seen')"), 2),
        (action(f"{CHALLENGE}; api.access.deny('no')"), 2),
        (action("api.multifactor.enable('any')"), 3),
        (action(f"{CHALLENGE}; 1 / 0"), 3),
        (action(PAGE), 3),
    ],
)
def test_what_suspends_a_flow_ends_its_steps(ask: Ask, source: str, ran: int) -> None:
    """After an action that needs the user no later one runs; one that failed, and the control, leave them to run."""
    reports = ask(SILENT, source, SILENT)
    assert len(reports) == ran


def test_the_first_step_of_a_resumed_flow_is_continued(ask: Ask) -> None:
    """The function for when the user is back runs, with what belongs there, and the next action as usual."""
    source = action(PAGE, "api.authentication.record_method('https://x.example').access_token.add_scope('s')")
    continued, usual = ask(source, action("api.multifactor.enable('any')"), handlers=("on_continue_post_login",))
    assert [command.op for command in continued.commands] == ["authentication.record_method", "access_token.add_scope"]
    assert [command.op for command in usual.commands] == ["multifactor.enable"]
    assert len(ask(action("pass", PAGE), SILENT, handlers=("on_continue_post_login",))) == 1


def test_an_action_without_the_function_cannot_be_continued(ask: Ask) -> None:
    """It is rejected, and says what is missing; the same revision runs as it should otherwise."""
    (rejected,) = ask(SILENT, handlers=("on_continue_post_login",))
    assert rejected.verdict == Verdict.REJECTED
    assert rejected.error_message == "the action does not define on_continue_post_login"
    (usual,) = ask(SILENT)
    assert usual.verdict == Verdict.COMPLETED


TELL = "record = api.cache.get('k'); api.access.deny(record.value if record else 'none')"


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("pass", "old"),
        ("api.cache.set('k', 'new')", "new"),
        ("api.cache.delete('k')", "none"),
        ("api.cache.set('k', 'new'); 1 / 0", "old"),
    ],
)
def test_the_cache_is_that_of_the_question_and_of_earlier_actions(ask: Ask, first: str, told: str) -> None:
    """What an earlier action wrote is seen, unless it failed; nothing passes to the next login."""
    records = [worker_pb2.CacheRecord(key="k", value="old", expires_at_ms=NOW_MS + 1)]
    _, second = ask(action(first), action(TELL), cache=records)
    assert json.loads(second.commands[0].args_json) == {"reason": told}
    (alone,) = ask(action(TELL))
    assert json.loads(alone.commands[0].args_json) == {"reason": "none"}


SPENDS = "api.user.set_user_metadata('a', 'x' * 20_000)"


def test_what_another_worker_ran_is_carried_on(ask: Ask) -> None:
    """Records and spent limits of steps that ran elsewhere count here."""
    spent = worker_pb2.Command(op="user.set_user_metadata", args_json=json.dumps({"key": "b", "value": "x" * 20_000}))
    wrote = worker_pb2.Command(
        op="cache.set", args_json=json.dumps({"key": "k", "value": "new", "expires_at": NOW_MS + 1})
    )
    (raised,) = ask(action(SPENDS), earlier=[spent])
    assert "the user_metadata of one login must be at most 32768 bytes" in raised.error_message
    (told,) = ask(action(TELL), earlier=[wrote])
    assert json.loads(told.commands[0].args_json) == {"reason": "new"}
    (control,) = ask(action(SPENDS))
    assert control.verdict == Verdict.COMPLETED


def test_a_step_whose_report_is_too_long_leaves_nothing(ask: Ask) -> None:
    """Its commands are not reported, so neither its records nor what it spent count."""
    first = f"{SPENDS}; api.cache.set('k', 'new'); api.id_token.set_custom_claim('c', 'x' * 60_000)"
    long, second = ask(action(first), action(f"{SPENDS}; {TELL}"))
    assert long.error_type == "ReplyLimitExceeded"
    assert second.verdict == Verdict.COMPLETED
    assert json.loads(second.commands[-1].args_json) == {"reason": "none"}


@pytest.mark.parametrize("op", ["multifactor.enable", "cache.get", "authentication.record_method", "no.such"])
def test_a_command_that_no_step_leaves_behind_is_a_broken_daemons(
    ask: Ask, op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker ends, by the code for it."""

    def ended(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", ended)
    args = {
        "multifactor.enable": {"provider": "any"},
        "authentication.record_method": {"provider_url": "https://x.example"},
    }
    with pytest.raises(SystemExit) as caught:
        ask(SILENT, earlier=[worker_pb2.Command(op=op, args_json=json.dumps(args.get(op, {})))])
    assert caught.value.code == exit_codes.PROTOCOL


@pytest.mark.parametrize("why", ["time", "memory"])
def test_a_source_that_was_not_compiled_in_time_is_compiled_again(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Time and memory may lack for a moment: the worker says that it is to be replaced, so that the next one tries."""
    replies: list[bool] = []

    def reply(*args: Any) -> bytes:
        replies.append(args[4])
        return flow_reply(*args)

    def exhausted(*_args: Any) -> NoReturn:
        raise MemoryError if why == "memory" else interrupts.Interrupted

    flow_reply = wire.flow_reply
    monkeypatch.setattr(wire, "flow_reply", reply)
    ask(action(f"print('{why}, the control')"))
    monkeypatch.setattr(compiler, "compile_action", exhausted)
    (report,) = ask(action(f"print('{why}')"))
    assert report.verdict == Verdict.REJECTED
    assert replies[-1]
    if why == "time":
        assert replies == [False, True]


LOOP = action("while True: pass")


def test_a_deadline_ends_the_flow_without_a_word_on_the_action(ask: Ask) -> None:
    """The worker reports what finished before its caller left. The control has the same action use up its budget."""
    soon_ns = time.monotonic_ns() + 30_000_000
    assert [report.verdict for report in ask(SILENT, LOOP, SILENT, deadline_ns=soon_ns)] == [Verdict.COMPLETED]
    assert ask(LOOP, deadline_ns=1) == []
    reports = ask(SILENT, LOOP, SILENT, budget_us=30_000)
    assert [report.verdict for report in reports] == [Verdict.COMPLETED, Verdict.TIMED_OUT]
    assert "processor time: it had" in reports[1].error_message


@pytest.mark.parametrize("budget_us", [1, 20])
def test_the_first_step_of_a_question_has_what_is_left_of_the_budget(ask: Ask, budget_us: int) -> None:
    """It begins, however little that is: an answer without a step would be a lie. The second finds it used up."""
    (report,) = ask(SILENT, SILENT, budget_us=budget_us)
    assert report.verdict in (Verdict.COMPLETED, Verdict.TIMED_OUT)
    assert len(ask(SILENT, SILENT, budget_us=BUDGET_US)) == 2


def test_a_source_whose_caller_left_is_not_refused(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling that a deadline ended says nothing about the source, which is compiled for the next login."""
    source = action("print('slow to compile')")

    def slow(*_args: Any) -> NoReturn:
        while True:
            pass

    with monkeypatch.context() as patched:
        patched.setattr(compiler, "compile_action", slow)
        assert ask(source, deadline_ns=time.monotonic_ns() + 20_000_000) == []
    (report,) = ask(source)
    assert (report.verdict, report.output) == (Verdict.COMPLETED, "slow to compile\n")
