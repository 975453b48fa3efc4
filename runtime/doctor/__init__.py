"""What an operator can ask of a host: which layers hold, and whether real attacks are held."""
