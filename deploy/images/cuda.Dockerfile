# syntax=docker/dockerfile:1
# The server on a GPU of NVIDIA:  docker build -f deploy/images/cuda.Dockerfile -t seem-server:0.1.0-cuda .
# Needs NVIDIA's container toolkit and a driver for CUDA 13, whose libraries are among the packages. Never with cpu.txt:
# with both runtimes installed, ONNX Runtime silently stays on the CPU.
#
# Everything that pip installs is pinned with its hash (`make lock` renews that). The base is pinned by its tag; pin it by
# what your registry has:  --build-arg BASE=python:3.11.14-slim-bookworm@sha256:…
ARG BASE=python:3.11.14-slim-bookworm

FROM ${BASE} AS wheel
WORKDIR /src
COPY deploy/images/build.txt ./
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement build.txt
COPY LICENSE README.md pyproject.toml ./
COPY protos/seem_wire protos/seem_wire
COPY clients/python/seem_client clients/python/seem_client
COPY model/seem_model model/seem_model
COPY seem_server seem_server
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist .

FROM ${BASE} AS environment
RUN python -m venv --without-pip /opt/seem
COPY deploy/images/cuda.txt /tmp/requirements.txt
RUN python -m pip --python /opt/seem/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
    --requirement /tmp/requirements.txt
COPY --from=wheel /dist /dist
RUN python -m pip --python /opt/seem/bin/python install --no-cache-dir --no-deps --no-index /dist/*.whl

FROM ${BASE}
RUN groupadd --gid 10001 seem \
    && useradd --uid 10001 --gid seem --no-create-home --home-dir /tmp --shell /usr/sbin/nologin seem \
    && install --directory --owner=seem --group=seem --mode=0700 /var/lib/seem
COPY --from=environment /opt/seem /opt/seem
# The root file system may be read-only: sessions go to /var/lib/seem, unless a store is named, and nothing else is written.
# By itself the server refuses to listen to others without TLS and callers: see deploy/README.md.
ENV PATH=/opt/seem/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CUDA_CACHE_PATH=/tmp/cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    NVIDIA_VISIBLE_DEVICES=all \
    SEEM_HOST=0.0.0.0 \
    SEEM_METRICS_HOST=0.0.0.0 \
    SEEM_METRICS_PORT=9464 \
    SEEM_LOG_FORMAT=json \
    SEEM_PROVIDER=cuda \
    SEEM_STORE=sqlite:/var/lib/seem/sessions.sqlite
VOLUME /var/lib/seem
USER 10001:10001
EXPOSE 50051 9464
# It answers what it was told, hands its sessions over and exits: `docker stop --time 25`.
STOPSIGNAL SIGTERM
# For a server with TLS name your own: seem health NAME:50051 --tls-ca FILE.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["seem", "health", "localhost:50051"]
ENTRYPOINT ["seem"]
CMD ["serve"]
