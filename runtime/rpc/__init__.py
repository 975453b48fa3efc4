"""The only place that knows gRPC: server, calls, admission, status, our client."""
