"""Tell variables with our prefix that Kubernetes or Docker injects from a setting that is misspelt.

A test holds that none of our settings looks like an injected one.
"""

import re
from collections.abc import Mapping
from typing import Final

ENV_PREFIX: Final = "VESTIBULE_"

# The command line's own, and those of a test run.
_OURS: Final = re.compile(r"VESTIBULE_(CONFIG|TARGET|API_KEY|REQUIRE_KERNEL|REQUIRE_TOOLCHAINS|TEST_\w+)")
# Kubernetes describes each Service of a namespace to every container in it: one called `vestibule-db` is
# VESTIBULE_DB_SERVICE_HOST and so on. Docker's links have the same ports, and the name and variables of the other end.
# Source: kubernetes.io, "Accessing the Service"; docs.docker.com, "Legacy container links".
_SERVICE: Final = re.compile(r"\w+_SERVICE_(HOST|PORT(_\w+)?)")
_PORTS: Final = re.compile(r"\w+_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|ADDR|PORT|START|END|PORT_START|PORT_END))?")
_URL: Final = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


def is_injected(name: str, environ: Mapping[str, str]) -> bool:
    """Tell whether a variable was put there by a platform, or is one of ours that is no setting."""
    if _OURS.fullmatch(name) or _SERVICE.fullmatch(name) or _PORTS.fullmatch(name):
        return True
    value = environ[name]
    # These could be written by a person too; their values tell.
    if name.endswith("_PORT") and _URL.match(value):
        return True
    if name.endswith("_NAME") and value.startswith("/"):
        return True
    return any(environ.get(f"{name[: found.start()]}_NAME", "").startswith("/") for found in re.finditer("_ENV_", name))
