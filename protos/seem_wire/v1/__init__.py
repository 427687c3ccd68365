"""Version 1 of the wire format: seem.proto and the stubs generated from it."""
