"""The check of an action that compiles: what cannot work, and what is probably not meant."""
