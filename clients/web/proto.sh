#!/usr/bin/env bash
# Generates src/wire/seem_pb.ts: proto.sh PYTHON_BIN (an environment with grpcio-tools, see protos/generate.sh).
set -euo pipefail
bin=$(cd "$1" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$bin/python" -W ignore -m grpc_tools.protoc -I "$here/../../protos/seem_wire/v1" \
    "--plugin=protoc-gen-es=$here/node_modules/.bin/protoc-gen-es" \
    "--es_out=$here/src/wire" --es_opt=target=ts seem.proto
