"""Suites of tests beside a tenant: read, run, compared."""
