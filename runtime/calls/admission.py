"""Admit logins to be decided at the same time: so many in all, and a share of them for each tenant."""

from runtime.errors import TenantInFlight, TooManyInFlight


class Places:
    """The places of logins in flight. A tenant may hold its share of them and no more, and one at least."""

    def __init__(self, most: int, share: float) -> None:
        self._most = most
        self._most_of_one = max(1, int(most * share))
        self._taken = 0
        self.by_tenant: dict[str, int] = {}

    def check(self) -> None:
        """Refuse a login before it is read, when there is no place at all. Raises: TooManyInFlight."""
        if self._taken >= self._most:
            raise TooManyInFlight(f"{self._most} logins are being decided, as many as are allowed at a time")

    def take(self, tenant: str) -> None:
        """Take a place, after `check`. Raises: TenantInFlight."""
        held = self.by_tenant.get(tenant, 0)
        if held >= self._most_of_one:
            raise TenantInFlight(
                f"{held} logins of tenant {tenant} are being decided, its share of the {self._most} that are allowed "
                "at a time: limits.tenant_share"
            )
        self.by_tenant[tenant] = held + 1
        self._taken += 1

    def give_back(self, tenant: str) -> None:
        """Give back a place that was taken."""
        self._taken -= 1
        self.by_tenant[tenant] -= 1
        if not self.by_tenant[tenant]:
            del self.by_tenant[tenant]
