"""One login: flow, steps on workers, executions, decision; begun or resumed."""
