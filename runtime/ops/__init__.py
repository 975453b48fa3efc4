"""What operators see: metrics, log, the HTTP port, and what concerns the host."""
