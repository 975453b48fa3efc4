"""Which Python an action may be written in: read, refused with a reason, or rewritten and compiled."""
