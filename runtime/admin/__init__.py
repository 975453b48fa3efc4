"""The admin service: tenants and their versions in the store, for callers with a key."""
