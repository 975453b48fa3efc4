"""One execution: the event, the `api` object, live values, the soft time limit."""
