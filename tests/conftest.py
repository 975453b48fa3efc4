"""What must be true before any test module is imported."""

import os

# Before grpc is imported: it would start its threads again in each child that test_zygote.py forks from this process,
# and a zygote refuses to be forked from beside threads.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"
