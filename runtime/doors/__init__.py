"""What comes in by HTTP: the service itself in JSON, and the forms of other products, all over one call path."""
