"""The trusted side: daemon, catalog, pure core, rpc. Never imported by a process that holds tenant code."""
