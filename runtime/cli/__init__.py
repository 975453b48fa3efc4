"""The `vestibule` command: one module a subcommand, with NAME, HELP, `arguments(parser)` and `run(args) -> int`."""
