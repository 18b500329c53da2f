"""`KubeWatch`: declares stores for apps, and finds those of the current app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload
from weakref import WeakSet

from flask import Flask, current_app
from werkzeug.local import LocalProxy

from kubewatch.api import Api
from kubewatch.config import Config
from kubewatch.errors import InvalidInput
from kubewatch.indexes import IndexFunction
from kubewatch.live import LiveStore
from kubewatch.objects import Object

from .settings import Settings
from .stores import AppStores, Declared

T = TypeVar("T")
NAME = "kubewatch"  # among the app's extensions
_DEFAULT = Config()


class KubeWatch:
    """The extension: its stores are those of every app that it is initialised with, each app's apart.

    >>> kube = KubeWatch()
    >>> pods = kube.store("pods", "pods", namespace="shop")
    >>> app = Flask("shop")
    >>> kube.init_app(app)
    >>> with app.app_context():
    ...     list(kube.stores)
    ['pods']

    `kube.pods`, and `pods` itself, is the current app's store once it is filled: its first use waits for that, and
    raises `NotReady` where it takes too long. `kube.stores["pods"]` does not wait. Outside of a request or an
    `app.app_context()`, all raise Flask's RuntimeError.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._declared: dict[str, Declared] = {}
        self._apps: WeakSet[AppStores] = WeakSet()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give `app` the stores, and the readiness view; its configuration is read now. Starts nothing.

        Raises `InvalidInput` for a wrong configuration, and for an app that has a KubeWatch.
        """
        if NAME in app.extensions:
            raise InvalidInput(f"the app {app.name} has a KubeWatch: declare all of its stores on that one")
        of_app = AppStores(Settings.of(app.config))
        for name, declared in self._declared.items():
            of_app.add(name, declared)
        app.extensions[NAME] = of_app
        self._apps.add(of_app)
        if of_app.settings.autostart:
            app.before_request(of_app.start_here)
        if of_app.settings.readiness_path is not None:
            app.add_url_rule(of_app.settings.readiness_path, "kubewatch_readyz", of_app.readyz)

    @overload
    def store(
        self,
        name: str,
        what: str,
        namespace: str | None = None,
        config: Config = _DEFAULT,
        *,
        modify: Callable[[Any], object] | None = None,
        indexes: Mapping[str, IndexFunction[Object]] | None = None,
    ) -> LiveStore[Object]: ...
    @overload
    def store(
        self,
        name: str,
        what: type[T] | Api[T],
        namespace: str | None = None,
        config: Config = _DEFAULT,
        *,
        modify: Callable[[Any], object] | None = None,
        indexes: Mapping[str, IndexFunction[T]] | None = None,
    ) -> LiveStore[T]: ...
    def store(
        self,
        name: str,
        what: Any,
        namespace: str | None = None,
        config: Config = _DEFAULT,
        *,
        modify: Callable[[Any], object] | None = None,
        indexes: Mapping[str, IndexFunction[Any]] | None = None,
    ) -> Any:
        """Declare a store, before anything is served; `kube.<name>`, and what is returned, is the current app's.

        - `what`: a name of kubectl's, a class that names its kind, or an `Api`, which has its own client and namespace.
        - `namespace`: None for the configuration's; "" for all, and for kinds that have none.
        - `config`, `modify`, `indexes`: as for `kubewatch.live`.

        Raises `InvalidInput`.
        """
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_") or hasattr(KubeWatch, name):
            raise InvalidInput(f"{name!r} cannot be an attribute of KubeWatch for a store: choose another name")
        if name in self._declared:
            raise InvalidInput(f"there is a store {name!r} already: choose another name")
        if isinstance(what, Api) and namespace is not None:
            raise InvalidInput(f"{what!r} has its namespace: leave namespace={namespace!r} out")
        declared = Declared(what, namespace, config, modify, indexes)
        declared.build(None, None)  # refuses what is wrong, also before there is an app
        self._declared[name] = declared
        for of_app in self._apps:
            of_app.add(name, declared)
        return LocalProxy(lambda: getattr(self, name))

    def __getattr__(self, name: str) -> LiveStore[Any]:
        if name not in self.__dict__.get("_declared", ()):
            raise AttributeError(f"KubeWatch has no {name!r}; a store is declared by kube.store({name!r}, ...)")
        return self.here.ready(name)

    @property
    def here(self) -> AppStores:
        """The current app's stores as a whole: `report()`, `start()`, `stop()`, `stopping`."""
        found: AppStores | None = current_app.extensions.get(NAME)
        if found is None:
            raise RuntimeError(f"the app {current_app.name} has no KubeWatch: call kube.init_app(app) when it is made")
        return found

    @property
    def stores(self) -> Mapping[str, LiveStore[Any]]:
        """The current app's stores by name, as they are; getting one does not wait."""
        return self.here.stores
