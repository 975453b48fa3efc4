"""What authors read and import, made from the tables: type stubs and the reference page."""
