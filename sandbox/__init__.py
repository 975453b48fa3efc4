"""The untrusted side: everything that runs in a process that holds tenant code."""
