"""What the table of system calls says of one call, worked out without BPF: the filter must say the same."""

from __future__ import annotations

from sandbox.process.syscalls import Act, Arg, Compare, numbered


def holds(arg: Arg, args: tuple[int, ...]) -> bool:
    """Say whether a condition holds."""
    low = args[arg.index] & 0xFFFF_FFFF
    if arg.test is Compare.ONE_OF:
        return low in arg.operands
    (operand,) = arg.operands
    if arg.test is Compare.AT_MOST:
        return low <= operand
    if arg.test is Compare.NO_BITS:
        return low & operand == 0
    return low & operand == operand


def decide(machine: str, number: int, args: tuple[int, ...]) -> Act:
    """Return what happens to a call."""
    row = numbered(machine).get(number)
    if row is None:
        return Act.KILL
    return row.act if all(holds(arg, args) for arg in row.args) else row.otherwise
