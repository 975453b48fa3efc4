"""What both sides share: the surface table, its kinds and values, wire, frames, journal, layers. Runs nothing."""
