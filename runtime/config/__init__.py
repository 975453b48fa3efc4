"""Settings: declared once, read once, passed on as frozen values."""
