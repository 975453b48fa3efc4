"""Attacks on the sandbox, shipped with it, for operators to run on their own hosts."""
