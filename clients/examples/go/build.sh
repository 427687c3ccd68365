#!/usr/bin/env bash
# Makes the stubs in seempb/ and builds ./click. It needs protoc, protoc-gen-go, protoc-gen-go-grpc and go.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
here_is=example/seempb # seem.proto names no Go package: it is said here, as the path that main.go imports
${PROTOC:-protoc} -I "${PROTOS:-../../../protos/seem_wire/v1}" \
    --go_out=. --go_opt="Mseem.proto=$here_is" --go_opt=module=example \
    --go-grpc_out=. --go-grpc_opt="Mseem.proto=$here_is" --go-grpc_opt=module=example \
    seem.proto
go build -o click .
