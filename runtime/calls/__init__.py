"""One call, whatever it came in by: admission, reading, deciding, counting, and the answer or the refusal."""
