"""Finds and reads the Kubernetes configuration by the client's usual rules, with errors that say what to do.

In order: the files of ``KUBECONFIG`` (several, joined by ``:``) or ``~/.kube/config``, then the service
account mounted into a pod.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import msgspec
import yaml

from bot.adapters.kubernetes import plugin
from bot.adapters.kubernetes.library import (
    ConfigException,
    Configuration,
    KubeConfigLoader,
    KubeConfigMerger,
    load_incluster_config,
)
from bot.domain.core import words, yaml_syntax
from bot.domain.core.proxies import Route, parse
from bot.errors import Permanent, Transient

POOL_SIZE = 64
"""Maximum connections to the API server: well above the calls of one status, exec sockets included."""

MAX_FILE = 4 * 1024 * 1024
"""Maximum bytes of a kubeconfig, a certificate, a key or a token."""
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - its path
_FILES = (
    ("cluster", "certificate-authority"),
    ("user", "client-certificate"),
    ("user", "client-key"),
    ("user", "tokenFile"),
)
"""The kubeconfig fields, by section, that name further files."""

_UNREADABLE = (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What the client raises for a kubeconfig that lacks a part, is no YAML or has the wrong structure."""


@dataclass(frozen=True)
class ConfigSource:
    """The configuration in use. ``files`` are the kubeconfigs; empty for the pod's own service account."""

    files: tuple[str, ...]
    context: str | None
    user: str | None

    @property
    def in_cluster(self) -> bool:
        """Whether the credentials are those mounted into the pod."""
        return not self.files

    @property
    def described(self) -> str:
        """Its name in messages."""
        return "the pod's service account" if self.in_cluster else "kubeconfig " + ", ".join(self.files)


class _Setting(NamedTuple):
    """The names of the settings for a kubeconfig and its context, for remedies."""

    file: str
    context: str


_USUAL = _Setting("KUBECONFIG", "AGENTPOD_KUBERNETES__CONTEXT")
_NAMED = _Setting("its kubeconfig in kubernetes.clusters", "its context in kubernetes.clusters")


_MAX_SHOWN = 200
"""Characters of a path in an error message."""


def kubeconfig_paths() -> list[str]:
    """Return the paths of kubeconfigs, whether or not they exist. Raises Permanent for an unknown user's ``~``."""
    value = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return [_expanded(path, _USUAL) for path in value.split(os.pathsep) if path]


def existing_paths() -> tuple[str, ...]:
    """Return the paths of the kubeconfigs that exist. Raises Permanent for one that can't be looked up."""
    return tuple(path for path in kubeconfig_paths() if _exists(path, _USUAL))


def _expanded(path: str, setting: _Setting) -> str:
    """Return the path with ``~`` replaced by the home folder. Raises Permanent if there is none."""
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise Permanent(
            f"The kubeconfig {path[:_MAX_SHOWN]} can't be read: there is no home folder for its ~.",
            remedy=f"Write the whole path, beginning with /, in {setting.file}.",
        ) from None


def _exists(path: str, setting: _Setting) -> bool:
    """Whether the file exists. Raises Permanent if that can't be known, such as in a folder one may not enter."""
    try:
        return Path(path).exists()
    except OSError as error:
        shown = path if len(path) <= _MAX_SHOWN else f"{path[:_MAX_SHOWN]}…"
        raise Permanent(
            f"The kubeconfig {shown} can't be read: {error.strerror}.",
            remedy=f"Let the bot's user read it and enter its folders, or set {setting.file} to another file.",
        ) from error


@dataclass(frozen=True)
class Access:
    """The configuration and credential for an API server."""

    configuration: Configuration
    source: ConfigSource
    expires: datetime | None = None
    """When a plugin's credential expires, if it said so."""
    plugin: str = ""
    """The plugin's name in messages; empty without one."""

    @property
    def route(self) -> Route | None:
        """The route by the kubeconfig's ``proxy-url``; None if the environment decides. Raises Permanent."""
        proxy = getattr(self.configuration, "proxy", None)
        return Route(parse(str(proxy), "proxy-url of the kubeconfig")) if proxy else None


async def load(context: str | None, patience: float = plugin.SECONDS, kubeconfig: str | None = None) -> Access:
    """Find and read the configuration, and run its credential plugin for at most ``patience`` seconds.

    ``kubeconfig`` is the one file to read, as a named cluster has it. Raises Permanent, which says where it looked
    and what was wrong, Transient for an auth-provider that does not answer, and what a plugin's `run` raises.
    """
    configuration = Configuration()
    if kubeconfig is not None:
        return await _from_files(configuration, (_existing(kubeconfig),), context, patience, _NAMED)
    files = existing_paths()
    if files:
        return await _from_files(configuration, files, context, patience, _USUAL)
    if context is not None:
        raise _nothing_found(f"The Kubernetes context {context!r} can't be used: no kubeconfig was found")
    if not os.environ.get("KUBERNETES_SERVICE_HOST"):
        raise _nothing_found("No Kubernetes configuration was found")
    try:
        _check_file(_TOKEN)
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError, ValueError) as error:
        raise Permanent(
            f"The pod's service account can't be used: {_short_reason(error)}.",
            remedy="Set automountServiceAccountToken: true on the bot's pod, or give it a kubeconfig.",
        ) from error
    return Access(configuration, ConfigSource((), None, None))


def _existing(kubeconfig: str) -> str:
    """Return the file's path. Raises Permanent if it does not exist, or can't be looked up."""
    path = _expanded(kubeconfig, _NAMED)
    if not _exists(path, _NAMED):
        raise Permanent(f"There is no kubeconfig {path}.", remedy=f"Mount it there, or set {_NAMED.file}.")
    return path


def _nothing_found(what: str) -> Permanent:
    looked = ", ".join(kubeconfig_paths())
    return Permanent(
        f"{what}: looked at {looked} and for a pod's service account.",
        remedy="Set KUBECONFIG to a kubeconfig file, or run the bot inside the cluster.",
    )


async def _from_files(
    configuration: Configuration,
    files: tuple[str, ...],
    context: str | None,
    patience: float,
    setting: _Setting,
) -> Access:
    try:
        for file in files:
            _check_file(file)
        merged = _merged(files)
        _check_context(merged, files, context, setting)
        loader = KubeConfigLoader(config_dict=merged, active_context=context, config_base_path=None)
        wanted = _plugin_of(loader)
        given = await _use_plugin(loader, wanted, patience)
        for file in _files_of(loader):
            _check_file(file)
        async with asyncio.timeout(patience):
            await loader.load_and_set(configuration)
        current = loader.current_context
    except TimeoutError:
        raise Transient(
            f"The auth-provider in the kubeconfig {', '.join(files)} gave no credential in {patience:g} s.",
            remedy="Sign in beforehand, or use a service account's token.",
        ) from None
    except _UNREADABLE as error:
        raise Permanent(
            f"The kubeconfig {', '.join(files)} can't be used: {_short_reason(error)}.",
            remedy=f"Check it with `kubectl config view`, or set {setting.file} to another file.",
        ) from error
    source = ConfigSource(files, current["name"], (current.get("context") or {}).get("user"))
    return Access(configuration, source, given.expires, wanted.name if wanted else "")


def _merged(files: tuple[str, ...]) -> Any:
    """Merge the files. Raises ConfigException for a value that YAML can't make: its own error quotes that."""
    try:
        return KubeConfigMerger(os.pathsep.join(files)).config
    except (UnicodeDecodeError, KeyError):
        raise
    except (ValueError, LookupError, ArithmeticError):
        raise ConfigException("a value in it is not what its tag says") from None
    except RecursionError:
        raise ConfigException("it is nested too deeply") from None


def _plugin_of(loader: KubeConfigLoader) -> plugin.Plugin | None:
    """Return the credential plugin of the context's user, if any. Raises ConfigException for an invalid one."""
    user, cluster = _section(loader, "user"), _section(loader, "cluster")
    if not user.get("exec"):
        return None
    try:
        spec = msgspec.convert(user["exec"], plugin.Spec)
    except msgspec.ValidationError as error:
        raise ConfigException(f"its exec section is wrong ({error})") from error
    return plugin.Plugin(spec, str(Path(_folder(loader, "user")).absolute()), dict(_cluster_info(cluster)))


async def _use_plugin(
    loader: KubeConfigLoader, wanted: plugin.Plugin | None, patience: float
) -> plugin.Credential:
    """Run the plugin and replace the user's ``exec`` with its credential. Raises what its `run` raises."""
    if wanted is None:
        return plugin.Credential()
    given = await wanted.run(patience)
    user = _section(loader, "user")
    del user["exec"]
    if given.token:
        user["token"] = given.token
    if given.certificate and given.key:
        user["client-certificate-data"] = base64.b64encode(given.certificate.encode()).decode()
        user["client-key-data"] = base64.b64encode(given.key.encode()).decode()
    return given


def _section(loader: KubeConfigLoader, name: str) -> dict[str, Any]:
    """Return the context's user or cluster; empty if there is none."""
    found = getattr(getattr(loader, f"_{name}"), "value", None)
    return found if isinstance(found, dict) else {}


def _folder(loader: KubeConfigLoader, name: str) -> str:
    """Return the folder of the file that a section is from: paths in it are relative to that."""
    return str(Path(getattr(getattr(loader, f"_{name}"), "path", None) or ".").parent)


def _cluster_info(cluster: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a plugin with ``provideClusterInfo`` gets of the cluster."""
    for name in (
        "server",
        "tls-server-name",
        "insecure-skip-tls-verify",
        "certificate-authority-data",
        "proxy-url",
    ):
        if name in cluster:
            yield name, cluster[name]
    for extension in cluster.get("extensions") or ():
        if extension.get("name") == "client.authentication.k8s.io/exec":
            yield "config", extension.get("extension")


def _files_of(loader: KubeConfigLoader) -> Iterator[str]:
    """Yield the paths of the files that the context's user and cluster name."""
    for section, name in _FILES:
        if file := _section(loader, section).get(name):
            yield str(Path(_folder(loader, section), str(file)))


def _check_file(path: str) -> None:
    """Raise ConfigException for a path that is no regular file (a pipe would block) or too large."""
    try:
        found = os.stat(path)
    except OSError:
        return  # reading it will report that
    if not S_ISREG(found.st_mode):
        raise ConfigException(f"{path} is not a file")
    if found.st_size > MAX_FILE:
        raise ConfigException(f"{path} is larger than {words.size(MAX_FILE)}")


def _check_context(merged: Any, files: tuple[str, ...], context: str | None, setting: _Setting) -> None:
    """Raise Permanent with the existing contexts if the wanted one does not exist."""
    if merged is None or not isinstance(merged.value, dict):
        raise ConfigException("the file is empty or no mapping")
    names = sorted(str(node.value["name"]) for node in merged.value.get("contexts") or [])
    wanted = context or merged.value.get("current-context")
    if wanted in names:
        return
    known = ", ".join(names) or "none at all"
    if not wanted:
        raise Permanent(
            f"The kubeconfig {', '.join(files)} has no current-context.",
            remedy=f"Set {setting.context} to one of: {known}.",
        )
    raise Permanent(
        f"There is no context {wanted!r} in {', '.join(files)}.",
        remedy=f"Set {setting.context} to one that exists: {known}.",
    )


def _short_reason(error: Exception) -> str:
    """Return an error's first line, without its full stop.

    Of a YAML error only the problem and its line: its text quotes the file, which holds credentials.
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        wrong = yaml_syntax.explained(error, "")
        return f"it is no YAML ({wrong.what} in line {wrong.line})"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    if isinstance(error, TypeError | KeyError | AttributeError):
        return "it does not have the shape of a kubeconfig"
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


def tls(configuration: Configuration, source: ConfigSource) -> ssl.SSLContext:
    """Return the TLS context. Raises Permanent for certificates that can't be loaded."""
    try:
        context = _trust(configuration)
        if configuration.cert_file:
            # Without a password callback OpenSSL would prompt for a passphrase at the terminal.
            context.load_cert_chain(configuration.cert_file, configuration.key_file, password=lambda: "")
    except (OSError, ValueError) as error:
        raise Permanent(
            f"The certificates of {source.described} can't be loaded: {_short_reason(error)}.",
            remedy="Check certificate-authority, client-certificate and client-key.",
        ) from error
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _trust(configuration: Configuration) -> ssl.SSLContext:
    """Return a context with the trusted CAs; none for plain HTTP, as loading the system's takes 25 ms."""
    if configuration.ssl_ca_cert or not str(configuration.host).startswith("http://"):
        return ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
