"""What runs the networks: bundles, ONNX Runtime, and a fake that needs neither."""
