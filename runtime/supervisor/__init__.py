"""Several daemons behind the same ports, and the process that starts, watches, replaces and ends them."""
