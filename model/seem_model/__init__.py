"""SEEM in PyTorch: the model, its training and its export to bundles. Serving never imports it."""
