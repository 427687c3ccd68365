"""Adapters: each speaks an annotation tool's protocol on one side and the SDK on the other."""
