"""Finding a cluster: kubeconfig files and the service account of a pod, loaded by the official client's own loaders.

Two things are done differently from there. An exec plugin that fails is an error with the plugin's own words, where the
official loader goes on without credentials. And what was loaded says how long it lasts.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, TypeVar

import msgspec

from .credentials import Loaded, redact
from .errors import AuthError

T = TypeVar("T")

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

# Seconds after which a token in a file is read again: the kubelet and other writers replace it long before it expires.
TOKEN_FILE_LIFETIME = 60.0

# Seconds; a plugin may have to wait for a person to log in.
PLUGIN_TIMEOUT = 120.0

# Characters of a plugin's output in an error message.
_SHOWN = 2000


class Place(msgspec.Struct, frozen=True):
    """A cluster that was found: how to load what it takes to reach it, now and again, and the namespace to begin in.

    What is loaded again is the same context of the same files, also when another one is the current one by then.
    """

    namespace: str
    load: Callable[[], Loaded]


def find() -> Place:
    """The cluster that this machine is set up for: $KUBECONFIG, then ~/.kube/config, then the pod's service account.

    Reads files, and runs no plugin. Raises AuthError.
    """
    named = os.environ.get("KUBECONFIG", "")
    paths = named or "~/.kube/config"
    if any(os.path.exists(os.path.expanduser(path)) for path in paths.split(os.pathsep) if path):
        return in_kubeconfig(paths)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return in_pod()
    raise AuthError(
        f"no cluster found: {'$KUBECONFIG is ' + named if named else paths}, which does not exist, and this is not a "
        "pod. Set KUBECONFIG, or give Client(...) a Configuration"
    )


def in_pod() -> Place:
    """The cluster that this pod runs in, as the pod's service account."""
    try:
        with open(_of_service_account("namespace"), encoding="utf-8") as file:
            return Place(file.read().strip(), _load_service_account)
    except (OSError, UnicodeDecodeError) as error:
        raise AuthError(f"the pod's service account cannot be loaded: {error}") from error


def in_kubeconfig(paths: str | None = None, context: str | None = None) -> Place:
    """A context of one or several kubeconfig files (joined by `:`); None: those of `find`, the current context."""
    paths = paths or os.environ.get("KUBECONFIG") or "~/.kube/config"
    found = _with_loader(paths, context, lambda loader: loader.current_context)
    namespace = found["context"].get("namespace") or "default"
    return Place(namespace, functools.partial(_with_loader, paths, found["name"], _load_context))


def _of_service_account(name: str) -> str:
    return os.path.join(SERVICE_ACCOUNT, name)


def _load_service_account() -> Loaded:
    configuration = _new_configuration()
    official: Any = importlib.import_module("kubernetes.config.incluster_config")
    try:
        loader = official.InClusterConfigLoader(_of_service_account("token"), _of_service_account("ca.crt"), False)
        loader.load_and_set(configuration)
    except Exception as error:  # the official loader's own errors, and those of reading files
        raise AuthError(f"the pod's service account cannot be loaded: {error}") from error
    return Loaded(configuration, TOKEN_FILE_LIFETIME)


def _load_context(loader: Any) -> Loaded:
    configuration = _new_configuration()
    _forget_lost_files()
    loader.load_and_set(configuration)
    return Loaded(configuration, loader.lifetime)


def _with_loader(paths: str, context: str | None, use: Callable[[Any], T]) -> T:
    official: Any = importlib.import_module("kubernetes.config.kube_config")
    try:
        files = official.KubeConfigMerger(paths)
        if files.config is None:
            raise AuthError(f"the kubeconfig {paths} does not exist")
        contexts = [each["name"] for each in files.config.safe_get("contexts") or ()]
        if context is not None and context not in contexts:
            known = ", ".join(contexts) or "none"
            raise AuthError(f"the kubeconfig {paths} has no context {context!r}; it has {known}")
        loader = _loader_class()(
            config_dict=files.config,
            active_context=context,
            config_base_path=None,
            config_persister=files.save_changes,
        )
        _check(loader, paths)
        return use(loader)
    except AuthError:
        raise
    except Exception as error:  # the official loader's own errors, YAML's, and those of reading files
        raise AuthError(f"the kubeconfig {paths} cannot be loaded: {redact(str(error))}") from error


def _check(loader: Any, paths: str) -> None:
    # The official loader would go on without credentials, and on this machine.
    context = loader.current_context
    if context["context"].get("user") and loader._user is None:
        raise AuthError(
            f"the context {context['name']!r} of the kubeconfig {paths} is for the user "
            f"{context['context']['user']!r}, who is not in it"
        )
    if not loader._cluster.safe_get("server"):
        raise AuthError(f"the cluster of the context {context['name']!r} of the kubeconfig {paths} has no server")


def _new_configuration() -> Any:
    return importlib.import_module("kubernetes.client.configuration").Configuration()


@functools.cache
def _loader_class() -> Any:
    official: Any = importlib.import_module("kubernetes.config.kube_config")

    class Loader(official.KubeConfigLoader):  # type: ignore[misc]  # the official loaders are untyped
        """The official loader, with a way of its own to run exec plugins."""

        lifetime: float | None = None

        def _load_user_token(self) -> Any:
            if "tokenFile" in self._user:
                self.lifetime = TOKEN_FILE_LIFETIME
            return super()._load_user_token()

        def _load_from_exec_plugin(self) -> Any:
            if "exec" not in self._user:
                return None
            folder = self._get_base_path(self._cluster.path)
            status = run_plugin(self._user["exec"].value, self._cluster.value, folder)
            if "token" in status:
                self.token = f"Bearer {status['token']}"
            if "clientCertificateData" in status:
                self.cert_file = official._create_temp_file_with_content(status["clientCertificateData"])
                self.key_file = official._create_temp_file_with_content(status["clientKeyData"])
            self.lifetime = _lifetime(status.get("expirationTimestamp"))
            return True

    return Loader


def _lifetime(expiration: str | None) -> float | None:
    if not expiration:
        return None
    left = (msgspec.convert(expiration, datetime) - datetime.now(timezone.utc)).total_seconds()
    # A little before its time, as clocks differ. The 1 s keeps a plugin that hands out old tokens from running always.
    return max(left - min(60.0, left / 10), 1.0)


def run_plugin(plugin: dict[str, Any], cluster: dict[str, Any], folder: str) -> dict[str, Any]:
    """Run an exec plugin and return the status of the ExecCredential that it prints.

    Raises AuthError with what the plugin said on stderr. Where the plugin may talk to a person in a terminal, its
    stderr goes there instead.
    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
    """
    import subprocess  # not needed by most, and slow to import

    mode = plugin.get("interactiveMode") or "IfAvailable"
    interactive = mode != "Never" and _at_a_terminal()
    command = plugin.get("command") or ""
    where = f"the credential plugin {command!r} of the kubeconfig"
    if mode == "Always" and not interactive:
        raise AuthError(f"{where} needs a terminal to run in: log in by `kubectl` first, or use other credentials")
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(cluster)
    info = {"apiVersion": plugin.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
    try:
        done = subprocess.run(
            [command, *(plugin.get("args") or [])],
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            cwd=folder or None,
            env={
                **os.environ,
                **{pair["name"]: pair["value"] for pair in plugin.get("env") or []},
                "KUBERNETES_EXEC_INFO": msgspec.json.encode(info).decode(),
            },
            timeout=PLUGIN_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise AuthError(f"{where} did not end within {PLUGIN_TIMEOUT:g} s") from None  # its output may hold a token
    except OSError as error:
        hint = f". {plugin['installHint']}" if plugin.get("installHint") else ""
        raise AuthError(f"{where} cannot be run: {error.strerror}{hint}") from error
    said = redact((done.stderr or b"").decode(errors="backslashreplace").strip())[-_SHOWN:]
    if done.returncode != 0:
        raise AuthError(f"{where} failed with exit status {done.returncode}: {said or 'it said nothing on stderr'}")
    try:
        answer = msgspec.json.decode(done.stdout, type=dict[str, Any])
        status = msgspec.convert(answer.get("status"), dict[str, Any])
    except msgspec.MsgspecError:
        # Without the cause, which could quote the output.
        raise AuthError(f"{where} did not print an ExecCredential with a status. {said}".rstrip()) from None
    if answer.get("apiVersion") != info["apiVersion"]:
        raise AuthError(
            f"{where} speaks {answer.get('apiVersion')!r}, but the kubeconfig asks for {info['apiVersion']!r}"
        )
    pair = [key for key in ("clientCertificateData", "clientKeyData") if status.get(key)]
    if len(pair) == 1 or not (pair or status.get("token")):
        raise AuthError(f"{where} printed neither a token nor a client certificate with its key. {said}".rstrip())
    return status


def _at_a_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # a service may have no standard input, or a closed one
        return False


def _cluster_info(cluster: dict[str, Any]) -> dict[str, Any]:
    names = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    info = {name: cluster[name] for name in names if name in cluster}
    for extension in cluster.get("extensions") or []:
        if extension.get("name") == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _forget_lost_files() -> None:
    # The official client writes certificates to temporary files once per process. Cleaners of /tmp remove them.
    files = _temporary_files()
    for content, path in list(files.items()):
        if not os.path.exists(path):
            del files[content]


def _temporary_files() -> dict[str, str]:
    module = sys.modules.get("kubernetes.config.kube_config")
    files: dict[str, str] = getattr(module, "_temp_files", {})
    return files


def _leave_the_parents_files() -> None:
    # A fork's child would otherwise remove the parent's certificates when it ends.
    _temporary_files().clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_the_parents_files)
