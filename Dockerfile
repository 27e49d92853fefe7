# syntax=docker/dockerfile:1
FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt .
RUN python -m venv /opt/agentpod && \
    /opt/agentpod/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY bot bot
COPY commands commands
# A path of its own on the import path: no build tool is needed for pure Python.
RUN site=$(/opt/agentpod/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
    cp -r bot commands "$site" && \
    printf '#!/opt/agentpod/bin/python\nfrom bot.__main__ import entry\nentry()\n' > /opt/agentpod/bin/agentpod && \
    chmod +x /opt/agentpod/bin/agentpod && \
    /opt/agentpod/bin/python -m compileall -q "$site/bot" "$site/commands" && \
    rm -rf /opt/agentpod/lib/python3.11/site-packages/pip*

FROM python:3.11-slim
LABEL org.opencontainers.image.title="agentpod" \
      org.opencontainers.image.description="A Slack bot that keeps one hardened agent pod healthy" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/agentpod /opt/agentpod
ENV PATH=/opt/agentpod/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["agentpod"]
CMD ["run"]
