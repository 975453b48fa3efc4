"""Check and run actions without a daemon, in the same sandbox."""
