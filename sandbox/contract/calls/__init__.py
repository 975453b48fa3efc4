"""The calls of `api`, by what they concern: the parts of the surface table."""
