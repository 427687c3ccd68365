"""gRPC, and nothing else: what was asked goes to `service`, what went wrong becomes a status."""
