"""The trusted end of the pipe: pool, workers, zygote, watchdog."""
