"""A conformance kit for gateways: a scripted daemon, and what a gateway must do with each of its answers."""
