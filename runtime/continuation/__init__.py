"""Suspended flows: what is kept of them, how it is sealed for the gateway to keep, and what resumes from it."""
