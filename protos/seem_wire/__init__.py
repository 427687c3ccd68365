"""What client and server of Seem agree on: messages, prompts, masks, errors.

Importing this package loads none of its modules; only `seem_wire.convert` and `seem_wire.v1` need
protobuf, and only `seem_wire.v1.seem_pb2_grpc` needs gRPC.
"""
