"""HTTP connections for the other adapters: proxies chosen in one place, and a size limit for every response.

``sessions`` are for users of aiohttp (Slack, Kubernetes), ``clients`` for users of httpx (the Pushgateway, the
health-bridge, the dead man's switch). Both choose the proxy with `bot.domain.core.proxies` and read bodies with
``bodies``.
"""
