"""The one table of dialects that are called over HTTP, by the word in a request's path."""

from collections.abc import Mapping
from typing import Final

from runtime.doors.dialects import cas, hydra, kratos, supabase, zitadel
from runtime.doors.dialects.base import Dialect

DIALECTS: Final[Mapping[str, Dialect]] = {
    "cas-trigger": cas.TRIGGER,
    "cas-policy": cas.POLICY,
    "kratos": kratos.KRATOS,
    "hydra": hydra.HYDRA,
    "zitadel": zitadel.ZITADEL,
    "supabase": supabase.SUPABASE,
}
