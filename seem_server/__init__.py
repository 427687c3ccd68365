"""Seem Server: interactive, promptable segmentation over gRPC."""
