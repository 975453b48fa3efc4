"""The processor clock of a worker: how often the kernel is asked, and by how much it may be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.process import processor
from sandbox.process.processor import EXACT_NS, ProcessorClock


class Thread:
    """A thread that has the processor for parts of the time."""

    def __init__(self) -> None:
        self.now_ns = 10**12
        self.cpu_ns = 10**9
        self.asked = 0

    def thread_time_ns(self) -> int:
        """Answer as the kernel does."""
        self.asked += 1
        return self.cpu_ns

    def go(self, passes_ns: int, runs_ns: int) -> None:
        """Let time pass, in some of which the thread runs."""
        self.now_ns += passes_ns
        self.cpu_ns += min(runs_ns, passes_ns)


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Thread:
    """Stand in for the thread that asks."""
    made = Thread()
    monkeypatch.setattr(processor, "time", made)
    return made


def test_a_short_flow_asks_the_kernel_once(thread: Thread) -> None:
    """Six readings of a flow that takes less than the exactness are one system call."""
    clock = ProcessorClock()
    for _ in range(6):
        assert clock.at(thread.now_ns) == thread.cpu_ns
        thread.go(EXACT_NS // 10, EXACT_NS // 10)
    assert thread.asked == 1


def test_time_that_others_had_is_not_charged(thread: Thread) -> None:
    """A thread that waits for the processor for longer than the exactness finds its clock where the kernel has it."""
    clock = ProcessorClock()
    before_ns = clock.at(thread.now_ns)
    thread.go(10**9, 1000)
    assert clock.at(thread.now_ns) - before_ns == 1000


@given(st.lists(st.tuples(st.integers(0, 3 * EXACT_NS), st.integers(0, 3 * EXACT_NS)), max_size=50))
def test_it_is_never_behind_and_never_far_ahead(spans: list[tuple[int, int]]) -> None:
    """However a thread is given the processor, its clock stands at most EXACT_NS too far on."""
    thread = Thread()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processor, "time", thread)
        clock = ProcessorClock()
        for passes_ns, runs_ns in spans:
            assert 0 <= clock.at(thread.now_ns) - thread.cpu_ns < EXACT_NS
            thread.go(passes_ns, runs_ns)
