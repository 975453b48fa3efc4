"""The `vestibule` command: one module a subcommand, with DESCRIPTION, `arguments(parser)` and `run(args) -> int`."""
