"""Equal things are written a few times a minute and counted otherwise; no count is lost, and keys stay few."""

from runtime.ops.throttle import WINDOW_S, Throttle


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_pass_and_the_others_are_counted() -> None:
    """Two of five pass; the other three are due when the minute is over, once."""
    clock = Clock()
    throttle = Throttle[str](2, 10, clock)
    assert [throttle.passes("a") for _ in range(5)] == [True, True, False, False, False]
    assert list(throttle.due()) == []
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == [("a", 3)]
    assert list(throttle.due()) == []


def test_a_count_that_was_written_is_the_line_of_its_minute() -> None:
    """After a count was due, the next minute has no other line; a quiet minute makes room for lines again."""
    clock = Clock()
    throttle = Throttle[str](1, 10, clock)
    assert [throttle.passes("a"), throttle.passes("a")] == [True, False]
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == [("a", 1)]
    assert not throttle.passes("a")
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == [("a", 1)]
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == []
    assert throttle.passes("a")


def test_no_count_is_lost_when_it_is_asked_for_late() -> None:
    """What was held back stays held until it is due, however late that is asked for."""
    clock = Clock()
    throttle = Throttle[str](1, 10, clock)
    passed = 0
    for _ in range(1000):
        passed += throttle.passes("a")
        clock.now_s += 1
    held = sum(count for _, count in throttle.due(everything=True))
    assert (passed, held) == (1, 999)


def test_keys_that_strangers_make_up_share_a_place() -> None:
    """Beyond its places a throttle keeps one count for all others, and places are free again after a quiet minute."""
    clock = Clock()
    throttle = Throttle[str](1, 3, clock)
    assert sum(throttle.passes(f"made up {at}") for at in range(10_000)) == 3
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == [(None, 9997)]
    clock.now_s += WINDOW_S
    assert list(throttle.due()) == []
    assert throttle.passes("another")
