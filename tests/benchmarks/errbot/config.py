"""Errbot's settings, from the environment. It has none for Slack's address, so the SDK's default is changed."""

import logging
import os
from pathlib import Path

import slackv3
from slack_sdk.web.base_client import BaseClient

_token, _, *_rest = BaseClient.__init__.__defaults__
BaseClient.__init__.__defaults__ = (_token, os.environ["PEER_API_URL"], *_rest)

BACKEND = "SlackV3"
BOT_EXTRA_BACKEND_DIR = str(Path(slackv3.__file__).parent)
BOT_IDENTITY = {"token": os.environ["PEER_BOT_TOKEN"], "app_token": os.environ["PEER_APP_TOKEN"]}
BOT_DATA_DIR = os.environ["PEER_DATA"]
BOT_EXTRA_PLUGIN_DIR = str(Path(__file__).parent / "plugin")
CORE_PLUGINS = ("ACLs",)
BOT_LOG_FILE = None
BOT_LOG_LEVEL = logging.WARNING
BOT_ADMINS = ("@maya",)
BOT_PREFIX = "!"
