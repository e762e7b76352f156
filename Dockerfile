# docker build --tag listen-queue-exporter .
# BASE is any Debian with Python 3.11 or newer, such as debian:13-slim.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
# No version is pinned: for each release Debian serves only the newest one, which has the security fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
# pip runs from an environment of its own, so that the one that is copied into the image has no pip.
RUN /usr/bin/python3 -m venv /tmp/pip && /usr/bin/python3 -m venv --without-pip /opt/exporter
COPY locks/run.txt /tmp/run.txt
RUN /tmp/pip/bin/pip --python /opt/exporter/bin/python install --no-cache-dir --no-compile \
        --require-hashes --no-deps --only-binary :all: --requirement /tmp/run.txt
COPY exporter /tmp/exporter
# Removed: PyYAML's C extension, since the exporter uses the parser in Python.
# Compiled here, because the root file system may be read-only at run time. unchecked-hash writes no modification
# time into the .pyc files, since tools for reproducible images change those of the sources.
RUN site="$(/opt/exporter/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
    && cp -r /tmp/exporter "$site" \
    && rm -r "$site"/yaml/_yaml.*.so \
    && /opt/exporter/bin/python -m compileall -q --invalidation-mode unchecked-hash "$site"

FROM ${BASE}
# Not pinned, as above. Removed from Python: its own tests and the texts of help().
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /usr/lib/python3.*/test /usr/lib/python3.*/pydoc_data \
        /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/*.log
COPY --from=build /opt/exporter /opt/exporter
COPY LICENSE /usr/share/doc/listen-queue-exporter/LICENSE
# Numeric, because Kubernetes' runAsNonRoot cannot check a user name.
USER 65534:65534
EXPOSE 10511
# -I: neither environment variables nor files in the working directory change what is imported.
# There is no HEALTHCHECK: each check would start another Python, and Prometheus has the same answer in `up`.
ENTRYPOINT ["/opt/exporter/bin/python", "-I", "-m", "exporter"]

# Last, because a changed argument rebuilds every step that follows it.
ARG BASE
ARG VERSION=unknown
ARG REVISION=unknown
ARG SOURCE=https://github.com/listen-queue-exporter/listen-queue-exporter
ENV LISTEN_QUEUE_EXPORTER_REVISION=${REVISION}
LABEL org.opencontainers.image.title="listen-queue-exporter" \
      org.opencontainers.image.description="Prometheus exporter for the queues of every listening socket" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}#readme" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
