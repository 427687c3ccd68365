"""The annotator in the browser: its files, and a gateway to the gRPC service.

A client like any other: it knows `seem_client` and `seem_wire`, and no part of the server.
"""
