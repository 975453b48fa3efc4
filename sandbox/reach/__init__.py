"""What an action can reach by name: builtins, guards, containers that hold what they use, and module facades."""
