"""Hostile programs made of the table of callbacks: each way to use a thing, with callbacks that act on what is in use.

One source holds all ways and all parts; a program is a choice of them, so it is compiled once. Run as a program:
choices in (JSON lines), those whose process a signal has killed out.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import json
import os
import random
import resource
import signal
import string
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sandbox.language import compiler
from sandbox.reach import environment, held, reachable
from tests.security import callback_record

CRASHES: Final = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE})
CHILD_S: Final = 0.5
CHILD_BYTES: Final = 1 << 30
VALGRIND_ERROR: Final = 99
VALGRIND: Final = (
    "valgrind", "-q", "--undef-value-errors=no", f"--error-exitcode={VALGRIND_ERROR}", sys.executable,
)  # fmt: skip
"""Its children are under it too: a fork is no new program."""
_VALGRIND_SLOWER: Final = "100"

# The most pointed first: each of these has crashed CPython by way of something.
ITERATORS: Final = (
    "(filter(act, iter([1])) for _ in (1, 2))", "filter(act, iter([1, 2, 3]))", "map(act, range(200))", "range(7)",
    "(make() for make in [total, part, part, part, part])", "map(act, iter(range(6)))", "(act(i) for i in range(6))",
    "[filter(act, iter([1, 2])), filter(act, iter([3]))]", "[K(i) for i in range(6)]", "iter(act, 99)", "rows",
    "held", "zip(filter(act, iter([1, 2])), filter(act, iter([3, 4])))", "queue", "held.pop()", "table",
    "itertools.takewhile(act, iter([1, 2]))", "itertools.starmap(act, iter([(1, 2), (3, 4)]))",
)  # fmt: skip
FUNCTIONS: Final = (
    "functools.partial(next, filter(act, iter([1, 2, 3])))", "next", "str.join", "key", "act", "(lambda *a: K(1))",
    "list", "operator.eq", "functools.partial(act, 1)", "rows.pop", "operator.lt", "functools.partial(map, act)",
)  # fmt: skip
VALUES: Final = (
    "wide()", "K(1)", "[K(1)]", "types.SimpleNamespace(a=K(1))", "filter(act, iter([1]))", "99",
)  # fmt: skip
POOLS: Final[dict[str, tuple[str, ...]]] = {
    "i": ITERATORS,
    "f": FUNCTIONS,
    "k": VALUES,
    "l": ("rows", "held", "[K(i) for i in range(5)]", "many"),
    "d": ("table", "{1: K(1), 2: [K(2)]}", "collections.OrderedDict({1: K(1)})", "collections.Counter('ab')"),
    "q": ("queue", "collections.deque([K(1), [K(2)]])"),
    "s": ("{1, 2, 3}", "some"),
    "x": (*VALUES, *ITERATORS[:6], "rows", "queue"),
}
ACTIONS: Final = (
    ("next(box[0], None)",),
    ("rows.clear()", "queue.clear()", "held.clear()", "table.default_factory = None", "table.clear()"),
    ("for _ in box[0]:", "    pass"),
    ("next(box[0], None)", "rows.clear()", "queue.clear()", "held.clear()"),
    ("box.clear()", "rows.clear()", "queue.clear()", "held.clear()", "many.clear()"),
    ("again()",),
    ("setattr(box[0], 'items', lambda: held.pop())", "setattr(box[0], 'get', act)"),
)
RETURNS: Final = ("0", "1", "99", "[1]", "'a'")
_POINTED: Final = 5
USES: Final = tuple((row.name, use) for row in callback_record.ROWS.values() for use in row.uses)

_MODULES: Final = ", ".join(sorted(reachable.MODULES.keys() - {"__future__", "vestibule_actions"}))
_SOURCE: Final = """
import %(modules)s
def on_execute_post_login(event, api):
    use, holes, action, trigger, answer = event
    state = {"n": 0, "kept": [], "hole": 0}
    box, some = [], {1, 2}
    many = [[] for _ in range(300)]
    def spray():
        many.clear()
        sizes = (0, 10, 15, 20, 31, 40, 47, 63, 90, 150, 280)
        state["kept"] = [bytes([65] * size) for size in sizes for _ in range(60)] + [[i] for i in range(100)]
    def act(*args):
        state["n"] += 1
        if state["n"] == trigger:
            try:
                actions[action]()
            except Exception as error:
                state["error"] = error
            spray()
        return 99 if state["n"] > 500 else answers[answer]()
    K = functools.cmp_to_key(act)
    def wide():
        return tuple([K(i) for i in range(40)])
    def key(*args):
        return wide()
    def total():
        return chr(0x1234) * 400
    def part():
        return filter(act, ["a", "b", "c"])
    rows = [[K(i)] if i %% 100 < 5 else filter(act, iter([i])) if i %% 100 == 6 else i for i in range(400)]
    held = [filter(act, iter([1, 2, 3])) for _ in range(4)]
    queue = collections.deque([wide(), [K(1)], K(2), filter(act, iter([1])), 4])
    table = collections.defaultdict(functools.partial(next, filter(act, iter([1, 2, 3]))), {1: K(1), 2: [K(2)]})
    def use_for(source):
        for item in source:
            act(item)
    def use_match(subject):
        match subject:
            case [first, second, *rest]:
                act(first)
                return rest
            case {1: [a] | a, **rest}:
                act(a)
                return rest
            case 99 | None | 'a':
                return 1
            case x if act(x):
                return x
    def use_class(function):
        class Own(ValueError):
            pass
        class Row(typing.NamedTuple):
            a: int
            b: int = function(1)
        try:
            raise Own(Row(function))
        except Own as error:
            return error.args
    def use_record(function):
        @dataclasses.dataclass
        class Record:
            a: int
            b: list = dataclasses.field(default_factory=function)
        one = Record(1)
        one.a = Record(2)
        return one == Record(Record(2)), [one] == [Record(one)], dataclasses.asdict(one)
    def use_yield(source):
        for item in source:
            try:
                got = yield item
                act(got)
            except ValueError:
                yield source
    def use_yield_from(source):
        yield from use_yield(source)
        yield from source
    def use_try(function):
        try:
            try:
                function(1)
            except ValueError as error:
                raise TypeError(rows) from error
        except TypeError as error:
            return error
    def use_slice(target, source):
        target[::2] = source
    def use_slice_object(target, source):
        target[slice(None, None, 2)] = source
    def use_slice_chain(target, source):
        other = target[::2] = source
        (target[::2], other) = (source, 1)
        for target[::2] in [source]:
            break
    def use_augmented(target, source):
        target += source
        target[::2] += source
    def use_order():
        rows[:] = [wide()]
        return rows < [wide()]
    def use_delete(target):
        del target[::2]
    def hole(pool):
        place = holes[state["hole"] %% len(holes)]
        state["hole"] += 1
        return pool[place %% len(pool)]()
%(pools)s
    answers = [%(answers)s]
%(actions)s
    uses = [
%(uses)s
    ]
    def again():
        return uses[use]()
    try:
        box.append(uses[use]())
        for _ in range(4):
            next(box[0], None)
    except Exception as error:
        state["error"] = error
"""


def source() -> str:
    """Return the source that all programs share."""
    pools = "\n".join(
        f"    pool_{name} = [{', '.join(f'lambda: {one}' for one in pool)}]\n    {name} = lambda: hole(pool_{name})"
        for name, pool in POOLS.items()
    )
    actions = "\n".join(
        f"    def action_{number}():\n" + "\n".join(f"        {line}" for line in lines)
        for number, lines in enumerate(ACTIONS)
    )
    actions += f"\n    actions = [{', '.join(f'action_{number}' for number in range(len(ACTIONS)))}]"
    calls = {name: f"{name}()" for name in POOLS}
    return _SOURCE % {
        "modules": _MODULES,
        "pools": pools,
        "answers": ", ".join(f"lambda: {one}" for one in RETURNS),
        "actions": actions,
        "uses": "\n".join(f"        lambda: {use.format(**calls)}," for _, use in USES),
    }


Choice = tuple[int, tuple[int, ...], int, int, int]


def _fields(use: str) -> list[str]:
    return [field for _, field, _, _ in string.Formatter().parse(use) if field]


def choices(effort: int, seed: str = "") -> Iterator[Choice]:
    """Yield random programs, `effort` for each way to use a thing."""
    for number, (_, use) in enumerate(USES):
        dice = random.Random(f"{seed}{use}")
        for _ in range(effort):
            holes = tuple(_pick(dice, len(POOLS[field])) for field in _fields(use))
            trigger = dice.choice((1, 1, 1, 2, 3))
            yield number, holes or (0,), _pick(dice, len(ACTIONS)), trigger, _pick(dice, len(RETURNS))


def _pick(dice: random.Random, length: int) -> int:
    """Choose one of the pointed ones two times of three."""
    return dice.randrange(min(_POINTED, length) if dice.random() < 0.67 else length)


def pointed(row: str) -> Iterator[Choice]:
    """Yield all programs that use the thing of one row with the most pointed parts."""
    for number, (name, use) in enumerate(USES):
        if name == row:
            fields = _fields(use)
            for holes in itertools.product(*(range(min(_POINTED, len(POOLS[field]))) for field in fields)):
                for action, (trigger, answer) in itertools.product(range(3), ((1, 0), (2, 1))):
                    yield number, holes or (0,), action, trigger, answer


def shown(choice: Sequence[Any]) -> str:
    """Say what a program does."""
    use, holes, action, trigger, answer = choice
    return f"{USES[use]} holes={holes} action={ACTIONS[action]} trigger={trigger} answer={RETURNS[answer]}"


# What stands between a thing and a crash, taken away in a process of its own.


def _member(module: str, name: str) -> Callable[[], None]:
    def take() -> None:
        real = getattr(__import__(module), name)
        object.__setattr__(environment.MODULES[module], name, real)

    return take


def _iter() -> None:
    environment.BUILTINS["iter"] = iter


def _factory() -> None:
    held.keep = lambda value: None


def _slice() -> None:
    environment.NAMESPACE["_write_slice_"] = lambda value: value


def _slice_object() -> None:
    environment.NAMESPACE["_write_any_"] = lambda value: value


@dataclass(frozen=True, slots=True)
class Wrapper:
    """What stands between an action and a crash."""

    row: str
    take_away: Callable[[], None]
    use: str
    """The way of use of a program that crashes without it."""
    holes: tuple[int, ...]
    action: int = 0
    trigger: int = 1
    answer: int = 0
    mended: tuple[int, ...] = (9, 0)
    """The CPython in which the program does not crash any more."""

    def program(self) -> Choice:
        """Return the program, one of those that are `pointed` at the row."""
        return USES.index((self.row, self.use)), self.holes, self.action, self.trigger, self.answer


def _itertools(name: str, arguments: str, *holes: int) -> Wrapper:
    return Wrapper(f"itertools.{name}", _member("itertools", name), f"itertools.{name}({arguments})", holes)


_KEY: Final = _member("functools", "cmp_to_key")


def _groupby() -> None:
    _member("itertools", "groupby")()
    _KEY()  # it lets go of what it compares, which no key of ours makes a call


WRAPPERS: Final[dict[str, Wrapper]] = {
    "accumulate": _itertools("accumulate", "{i}, {f}, initial={k}", 0, 1, 4),
    "chain": _itertools("chain", "{i}, {i}", 0, 1),
    "cycle": _itertools("cycle", "{i}", 1),
    "groupby": Wrapper("itertools.groupby", _groupby, "itertools.groupby({i}, {f})", (3, 3)),
    "islice": _itertools("islice", "{i}, 1", 1),
    "pairwise": _itertools("pairwise", "{i}", 1),
    "zip_longest": _itertools("zip_longest", "{i}, {i}", 0, 1),
    "iter": Wrapper("iter", _iter, "iter({f}, 9)", (0,)),
    "factory": Wrapper("collections.defaultdict.default_factory", _factory, "{d}[99]", (0,), 1, mended=(3, 13)),
    "key": Wrapper("functools.cmp_to_key", _KEY, "{q}.index({k})", (0, 0), 1, mended=(3, 13)),
    "key in order": Wrapper("functools.cmp_to_key", _KEY, "use_order()", (0,), 1, 2, 1, mended=(3, 12, 5)),
    "slice": Wrapper("statement:Assign", _slice, "use_slice({l}, {i})", (0, 2), 1, mended=(3, 13)),
    "slice object": Wrapper("statement:Assign", _slice_object, "use_slice_object({l}, {i})", (0, 2), 1, mended=(3, 13)),
}


def main() -> None:
    """Run each program of standard input in a child of its own; write those that crash to standard output.

    A line of input is `[wrapper taken away or "", choice]`, one of output the same and the name of the signal.
    """
    code = compiler.compile_action(source())
    if "CHILD_SLOWER" in os.environ:
        environment.STACK.append(0)  # valgrind does not know a stack that is grown at once
    environment.begin(0, b"", environment.ActionOutput(0))  # what is made once, is made before the first fork
    environment.end()
    for line in sys.stdin:
        wrapper, choice = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _run(code, wrapper, choice)
        _, status = os.waitpid(pid, 0)
        ended = os.waitstatus_to_exitcode(status)
        if -ended in CRASHES:
            print(json.dumps([wrapper, choice, signal.Signals(-ended).name]), flush=True)
        elif ended == VALGRIND_ERROR:
            print(json.dumps([wrapper, choice, "valgrind"]), flush=True)


def _run(code: Any, wrapper: str, choice: Any) -> None:
    try:
        signal.setitimer(signal.ITIMER_REAL, CHILD_S * float(os.environ.get("CHILD_SLOWER", "1")))
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
        soft = pages * resource.getpagesize() + CHILD_BYTES
        if "CHILD_SLOWER" not in os.environ:  # valgrind needs memory of its own
            resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if wrapper:
            WRAPPERS[wrapper].take_away()
        namespace = environment.begin(0, b"seed", environment.ActionOutput())
        exec(code, namespace)  # noqa: S102 - what the sandbox is for
        with contextlib.suppress(Exception):
            namespace["on_execute_post_login"](choice, None)
        namespace.clear()
        environment.end()
    finally:
        os._exit(0)


def crashes(
    programs: Iterable[tuple[str, Choice]], command: Sequence[str] = (sys.executable,), timeout_s: float = 600
) -> list[tuple[str, Choice, str]]:
    """Run programs, each `(wrapper taken away or "", choice)`; return those that a signal killed, and which signal."""
    under = {"PYTHONMALLOC": "debug"}
    if command is VALGRIND:
        under = {"PYTHONMALLOC": "malloc", "CHILD_SLOWER": _VALGRIND_SLOWER}  # it must see each block by itself
    ran = subprocess.run(
        [*command, "-m", __name__],
        input="\n".join(json.dumps(program) for program in programs),
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout_s,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **under, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    return [(wrapper, (use, tuple(holes), *rest), name) for wrapper, (use, holes, *rest), name in found]


if __name__ == "__main__":
    if "-v" in sys.argv:
        faulthandler.enable()
    main()
