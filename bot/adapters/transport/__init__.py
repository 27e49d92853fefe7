"""How the other adapters reach the network: one way out for all, and no answer without a limit.

``sessions`` are for what speaks through aiohttp (Slack, Kubernetes), ``clients`` for what speaks through httpx
(the Pushgateway, the health-bridge, the dead man's switch). Both choose the proxy by `bot.domain.core.proxies`,
and read bodies by ``bodies``.
"""
