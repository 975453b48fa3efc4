"""The commands of `vestibule`: one module each, with NAME, HELP, `arguments(parser)` and `run(args) -> int`."""
