"""Run the daemon with another build of grpcio: `python other_grpc.py KIND -m runtime.cli ARGUMENT...`.

All but the build is the real daemon. Started by tests/integration/test_own_port.py in a process of its own.
"""

import runpy
import sys


def main() -> None:
    """Change what is installed as KIND says, and become the module."""
    kind, _, module = sys.argv[1:4]
    import grpc
    from grpc._cython import cygrpc

    if kind != "silent":
        grpc.__version__ = "1.99.0"
    if kind == "lacking":
        del cygrpc._handle_rpc, cygrpc._receive_message
    elif kind in ("changed", "silent"):

        def changed(*_: object) -> None:
            raise TypeError

        cygrpc._ServicerContext = changed
        from runtime.rpc import own_call

        # No call is ever answered: wait less for that.
        own_call.own_call.__defaults__ = (0.5,)
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
