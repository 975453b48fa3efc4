"""Who calls: credentials become a caller with scopes and a tenant. Knows no transport, and no decision."""
