# docs/image.md: how to build, pin and verify it. Everything in it also runs without a container engine: make image
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# What the lock names, and nothing else: wheels only, so no package's code runs while it is installed.
FROM ${PYTHON_IMAGE} AS dependencies
WORKDIR /src
COPY requirements.txt .
RUN python -m venv --without-pip /opt/agentpod && \
    python -m pip --python /opt/agentpod/bin/python install --no-cache-dir --no-compile --only-binary :all: \
        --require-hashes -r requirements.txt
# One script of our own instead of those of the packages, and no tests of theirs. Compiled here, since the root is
# read-only later; but for what is loaded lazily if at all: one model file for each kind that Kubernetes has.
RUN site=$(/opt/agentpod/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
    find "$site" -type d -name tests -prune -exec rm -rf {} + && \
    find "$site" -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.c' -o -name '*.h' \) -delete && \
    rm -rf /opt/agentpod/include && \
    find /opt/agentpod/bin -type f -delete && \
    printf '#!/opt/agentpod/bin/python\nfrom bot.__main__ import entry\nentry()\n' > /opt/agentpod/bin/agentpod && \
    chmod 0755 /opt/agentpod/bin/agentpod && \
    echo /opt/agentpod/app > "$site/agentpod.pth" && \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash \
        -x '(/kubernetes/(aio/)?client/(api|models)|/pygments/(lexers|styles))/(?!__init__)' "$site"

FROM dependencies AS code
WORKDIR /opt/agentpod/app
COPY LICENSE .
COPY bot bot
COPY commands commands
ARG VERSION=0.1.0
# Readable by any user and changed by none, whatever the umask of the clone was.
RUN chmod -R u=rwX,go=rX . && \
    python -m compileall -q --invalidation-mode unchecked-hash bot commands && \
    said=$(/opt/agentpod/bin/agentpod --version) && \
    if [ "$said" != "agentpod $VERSION" ]; then echo "VERSION is $VERSION, but the code is $said" >&2; exit 1; fi

FROM ${PYTHON_IMAGE}
# Python without what installs, builds or edits; and its library compiled, which the base image leaves to the first
# import, when there is nowhere to keep the result.
RUN lib=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))') && \
    rm -rf "$lib"/site-packages "$lib"/ensurepip "$lib"/venv "$lib"/distutils "$lib"/lib2to3 "$lib"/idlelib \
        "$lib"/tkinter "$lib"/turtledemo "$lib"/pydoc_data "$lib"/config-* /usr/local/include \
        /usr/local/lib/pkgconfig && \
    find /usr/local/bin -mindepth 1 \( ! -name 'python*' -o -name '*-config' \) -delete && \
    python -m compileall -q -j 0 --invalidation-mode unchecked-hash "$lib"
COPY --from=dependencies /opt/agentpod /opt/agentpod
COPY --from=code /opt/agentpod/app /opt/agentpod/app
ENV PATH=/opt/agentpod/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONNOUSERSITE=1 \
    PYTHONSAFEPATH=1
# A number, so that Kubernetes can see that it isn't root; any other works as well.
USER 10001:10001
EXPOSE 8080
# No HEALTHCHECK: Kubernetes ignores it and asks /healthz and /readyz. No shell: the bot gets SIGTERM itself.
ENTRYPOINT ["agentpod"]
CMD ["run"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
ARG SOURCE=
LABEL org.opencontainers.image.title="agentpod" \
      org.opencontainers.image.description="A Slack bot that keeps one hardened agent pod healthy" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
