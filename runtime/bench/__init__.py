"""The benchmark: what the daemon promises in numbers, measured beside a bare echo server in one run."""
