#!/usr/bin/env bash
# Generates the committed stubs: generate.sh BIN, or generate.sh BIN --check (fails when they are stale).
#
# BIN is the bin folder of an environment with grpcio-tools==1.71.2 and mypy-protobuf==3.6.0; `make proto` makes one.
# The proto path is the import path (-I protos), so the stubs import each other without any patching. stubs.sha256
# lists the source and what came of it, so that the test suite can tell stale or edited stubs without a compiler.
set -euo pipefail

bin=$(cd "$1" && pwd)
protos=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

generate() { # into the folder $1, which already has seem_wire/v1/seem.proto
    PATH="$bin:$PATH" "$bin/python" -W ignore -m grpc_tools.protoc -I "$protos" \
        --python_out="$1" --grpc_python_out="$1" --mypy_out="quiet:$1" --mypy_grpc_out="quiet:$1" \
        "$protos/seem_wire/v1/seem.proto"
    (cd "$1/seem_wire/v1" &&
        sha256sum seem.proto seem_pb2.py seem_pb2.pyi seem_pb2_grpc.py seem_pb2_grpc.pyi >stubs.sha256)
}

if [[ ${2-} == --check ]]; then
    fresh=$(mktemp -d)
    trap 'rm -rf "$fresh"' EXIT
    mkdir -p "$fresh/seem_wire/v1"
    cp "$protos/seem_wire/v1/seem.proto" "$fresh/seem_wire/v1/"
    generate "$fresh"
    diff -r -x __pycache__ -x __init__.py "$protos/seem_wire/v1" "$fresh/seem_wire/v1" ||
        { echo "the stubs are stale: run 'make proto' and commit" >&2 && exit 1; }
    echo "the stubs are fresh"
else
    generate "$protos"
fi
