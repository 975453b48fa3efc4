"""Modules as an action sees them: named functions, constants and classes on objects that hold nothing else.

Each file builds a few modules and registers, per exact type, which attributes of their values are open. They know the
execution's clock, seed and output through `context.CURRENT`; they know nothing of events, api or processes. Built once
by `sandbox.reach.environment`; nothing in them changes between two executions.
"""
