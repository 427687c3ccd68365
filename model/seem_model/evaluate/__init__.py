"""How good the published models are: by recorded outputs, and by the tables they came with."""
