"""The pure middle: executions, settings and facts in, a decision out. No clock, pipe, log, protobuf or random."""
