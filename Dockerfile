ARG BASE=debian:12-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/exporter
COPY locks/run.txt /tmp/run.txt
RUN /opt/exporter/bin/pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r /tmp/run.txt
COPY exporter /tmp/exporter
RUN site="$(/opt/exporter/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && cp -r /tmp/exporter "$site" \
    && /opt/exporter/bin/pip uninstall --yes pip setuptools \
    && /opt/exporter/bin/python -m compileall -q "$site"

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="listen-queue-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the queues of every listening socket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV LISTEN_QUEUE_EXPORTER_REVISION=${REVISION}
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/exporter /opt/exporter
COPY LICENSE /usr/share/doc/listen-queue-exporter/LICENSE
# A number, because Kubernetes can prove only of a number that it is not root.
USER 65534:65534
EXPOSE 10511
ENTRYPOINT ["/opt/exporter/bin/python", "-I", "-m", "exporter"]
