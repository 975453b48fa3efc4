"""Run the daemon with another build of grpcio: `python other_grpc.py KIND -m runtime.cli ARGUMENT...`.

All but the build is the real daemon. Started by tests/integration/test_own_port.py and test_fronts.py in a process of
its own.
"""

import runpy
import sys
from typing import Any


def main() -> None:
    """Change what is installed as KIND says, and become the module."""
    kind, _, module = sys.argv[1:4]
    import grpc
    from grpc._cython import cygrpc  # type: ignore[attr-defined]  # it has no stubs

    if kind == "newer":
        grpc.__version__ = "1.99.0"
    elif kind == "lacking":
        # Not functions: grpc.aio itself would miss them.
        del cygrpc.SendMessageOperation, cygrpc._MethodResolver
    elif kind == "changed":

        def changed(*_: object) -> None:
            raise TypeError

        cygrpc._ServicerContext = changed
        from runtime.rpc import own_call

        # The fast front answers no call: wait less for that.
        given: Any = own_call.own_call.__defaults__
        own_call.own_call.__defaults__ = (*given[:-1], 0.5)
    elif kind == "rewritten":
        # As when grpc.aio's loop no longer calls what the fast front overrides.
        from runtime.rpc import fast_front

        del fast_front._Core._make_request_call_future
    elif kind == "silent":
        from runtime.rpc import services

        async def fail(*_: object) -> bytes:
            raise TypeError

        services.ActionRuntime._handle = fail  # type: ignore[method-assign,assignment]  # what is tested
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
