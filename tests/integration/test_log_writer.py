"""The log's writer: callers never wait, lines come out whole and in order, and each that does not is counted."""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Iterator

import pytest

from runtime.ops.log_writer import LogWriter

PATIENCE_S = 30.0


def until_lost(writer: LogWriter, lines: int) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while writer.lost != lines:
        assert time.monotonic() < give_up_s, writer.lost
        time.sleep(0.005)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_all(reader: int) -> list[str]:
    with open(reader, encoding="utf-8", closefd=False) as file:
        return file.read().splitlines()


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    """Ten thousand lines of four threads arrive, each whole, each thread's in its order."""
    reader, end = pipe
    writer = LogWriter(end, 64 << 20)
    os.close(end)

    def say(name: int) -> None:
        for at in range(2500):
            writer.write(f"{name} {at} {'x' * 100}\n")

    threads = [threading.Thread(target=say, args=(name,)) for name in range(4)]

    def close() -> None:
        for thread in threads:
            thread.join()
        writer.close()

    closer = threading.Thread(target=close)
    for thread in (*threads, closer):
        thread.start()
    lines = read_all(reader)
    closer.join()
    assert writer.lost == 0
    for name in range(4):
        of_one = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
        assert of_one == [str(at) for at in range(2500)]


def test_a_stalled_reader_blocks_no_caller_and_every_line_is_accounted_for(pipe: tuple[int, int]) -> None:
    """With a reader that reads nothing, a caller does not wait: what fits waits, the rest is lost and counted."""
    reader, end = pipe
    writer = LogWriter(end, 100_000)
    os.close(end)
    for at in range(10_000):
        writer.write(f"{at} {'x' * 90}\n")
    assert writer.lost > 5000
    assert not writer.has_room
    # The reader comes back: what waited is there, in order, and nothing was lost uncounted.
    closer = threading.Thread(target=writer.close)
    closer.start()
    lines = read_all(reader)
    closer.join()
    assert len(lines) + writer.lost == 10_000
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers == sorted(numbers)


def test_a_blocked_caller_is_what_a_plain_stream_gives(pipe: tuple[int, int]) -> None:
    """The control: the same lines, written to the same pipe without the writer, do not get through."""
    _, end = pipe
    done = threading.Event()

    def say() -> None:
        with contextlib.suppress(BrokenPipeError):
            for _ in range(10_000):
                os.write(end, b"x" * 90 + b"\n")
            done.set()

    thread = threading.Thread(target=say)
    thread.start()
    assert not done.wait(0.3)
    os.close(pipe[0])  # EPIPE ends the thread
    thread.join()


def test_closing_does_not_wait_for_a_stalled_reader(pipe: tuple[int, int]) -> None:
    """The end is not held up by a reader that takes nothing; afterwards a line is lost, and counted."""
    _, end = pipe
    writer = LogWriter(end)
    for _ in range(3000):
        writer.write("x" * 99 + "\n")
    began_s = time.monotonic()
    writer.close(patience_s=60)
    assert time.monotonic() - began_s < 30
    lost = writer.lost
    writer.write("too late\n")
    assert writer.lost == lost + 1


def test_a_full_disk_costs_its_lines_only() -> None:
    """What a full device refuses is counted; the writer takes the next line all the same."""
    with open("/dev/full", "w") as full:
        writer = LogWriter.to(full)
    for _ in range(3):
        writer.write("a line\n")
    until_lost(writer, 3)
    writer.write("a line\n")
    until_lost(writer, 4)
    writer.close()


def test_a_reader_that_left_costs_its_lines_only(pipe: tuple[int, int]) -> None:
    """EPIPE is a lost line, no error and no signal."""
    reader, end = pipe
    writer = LogWriter(end)
    os.close(reader)
    writer.write("a line\n")
    until_lost(writer, 1)
    writer.close()


def test_a_pipe_that_does_not_block_gets_every_line(pipe: tuple[int, int]) -> None:
    """EAGAIN of a pipe that another process made non-blocking means later: a line that it cut is completed."""
    reader, end = pipe
    fcntl.fcntl(end, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.fcntl(end, fcntl.F_GETFL))
    writer = LogWriter(end, 8 << 20)
    os.close(end)
    for at in range(5000):
        writer.write(f"{at} {'x' * 95}\n")
    closer = threading.Thread(target=writer.close)
    closer.start()
    lines = read_all(reader)
    closer.join()
    assert [int(line.split()[0]) for line in lines] == list(range(5000))
    assert writer.lost == 0


def test_a_line_that_broke_off_does_not_spoil_the_next(monkeypatch: pytest.MonkeyPatch, pipe: tuple[int, int]) -> None:
    """A disk that fills in the middle of a line: the line is lost, and the next one begins at the left."""
    reader, end = pipe
    real = os.write
    room = [10]

    def write(descriptor: int, data: bytes) -> int:
        if descriptor in (reader, end) or room[0] is None:
            return real(descriptor, data)
        if room[0] == 0:
            raise OSError(28, "No space left on device")
        count, room[0] = real(descriptor, data[: room[0]]), 0
        return count

    monkeypatch.setattr(os, "write", write)
    writer = LogWriter(end)
    writer.write("whole\nbroken off\n")
    until_lost(writer, 1)
    room[0] = None  # type: ignore[call-overload]  # there is room again
    writer.write("after it\n")
    writer.close()
    os.close(end)
    assert read_all(reader) == ["whole", "brok", "after it"]


def test_a_process_without_standard_error_loses_its_lines() -> None:
    """There is nowhere to write: nothing fails, and each line is counted."""
    writer = LogWriter.to(None)
    writer.write("a line\n")
    until_lost(writer, 1)
    assert not writer.isatty()
    writer.close()


def test_what_cannot_be_encoded_is_written_escaped(pipe: tuple[int, int]) -> None:
    """A lone surrogate is no reason to lose a line."""
    reader, end = pipe
    writer = LogWriter(end)
    os.close(end)
    writer.write("a\ud800b\n")
    writer.close()
    assert read_all(reader) == ["a\\ud800b"]
