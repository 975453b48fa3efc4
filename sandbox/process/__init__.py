"""The processes that hold tenant code: the fork server, the worker, its lock-down layer by layer."""
