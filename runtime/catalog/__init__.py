"""Where flows come from: tenant directories, the store they are applied to, and snapshots of it."""
