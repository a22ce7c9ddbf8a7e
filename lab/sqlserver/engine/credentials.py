"""Credentials: the keys by which the server may use an object store, found by the longest prefix of a URL."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.sqlserver.engine.registry import Registry
from lab.sqlserver.errors import SqlServerError

S3_IDENTITY = "S3 Access Key"


@dataclass(frozen=True)
class Credential:
    """`secret` is `<access key>:<secret key>` where `identity` is 'S3 Access Key'."""

    name: str
    identity: str
    secret: str = field(repr=False)


class Credentials:
    """The server's credentials, kept in the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def all(self) -> list[Credential]:
        return [Credential(**record) for record in self._registry.all("credential")]

    def create(self, credential: Credential) -> None:
        """Raises SqlServerError 15530 if there is one of that name."""
        with self._registry.lock:
            if self._registry.get("credential", credential.name):
                raise SqlServerError(15530, credential.name)
            self._registry.put("credential", credential.name, vars(credential))

    def drop(self, name: str) -> None:
        """Raises SqlServerError 15151 if there is none of that name."""
        with self._registry.lock:
            if not self._registry.get("credential", name):
                raise SqlServerError(15151, "credential", name)
            self._registry.delete("credential", name)

    def for_url(self, url: str) -> Credential | None:
        """The S3 credential whose name is the longest that `url` begins with, path element by path element."""
        fitting = [
            credential
            for credential in self.all()
            if credential.identity == S3_IDENTITY
            and (url + "/").lower().startswith(credential.name.lower().rstrip("/") + "/")
        ]
        return max(fitting, key=lambda credential: len(credential.name), default=None)
