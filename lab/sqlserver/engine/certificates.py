"""Certificates of the server: what the key of an encrypted database is encrypted by. They are in no database's backup.

https://learn.microsoft.com/sql/relational-databases/security/encryption/transparent-data-encryption
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab.sqlserver.engine.registry import Registry
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.translation.dates import now


@dataclass(frozen=True)
class Certificate:
    """`thumbprint` is hexadecimal; `key_backed_up` is when its private key was last written to a file, if ever."""

    name: str
    thumbprint: str
    key_backed_up: str | None = None


class Certificates:
    """The server's certificates, kept in the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def all(self) -> list[Certificate]:
        return [Certificate(**record) for record in self._registry.all("certificate")]

    def get(self, name: str) -> Certificate:
        """Raises SqlServerError 15151 if there is none of that name."""
        record = self._registry.get("certificate", name)
        if record is None:
            raise SqlServerError(15151, "certificate", name)
        return Certificate(**record)

    def check_has(self, thumbprint: str) -> None:
        """Raises SqlServerError 33111 where the server lacks the certificate that a database's key needs."""
        if thumbprint and all(certificate.thumbprint != thumbprint for certificate in self.all()):
            raise SqlServerError(33111, thumbprint)

    def create(self, name: str, thumbprint: str = "") -> None:
        """A new one, or the one with that thumbprint. Raises SqlServerError 15232 for a name that is taken."""
        with self._registry.lock:
            if self._registry.get("certificate", name):
                raise SqlServerError(15232, name)
            self._put(Certificate(name, thumbprint or secrets.token_hex(20).upper()))

    def back_up(self, name: str, file: Path, key_file: Path) -> None:
        """Write certificate and key to files, from which another server can have them."""
        certificate = self.get(name)
        for path in (file, key_file):
            path.write_text(certificate.thumbprint)
        self._put(replace(certificate, key_backed_up=now()))

    def drop(self, name: str) -> None:
        self._registry.delete("certificate", self.get(name).name)

    def _put(self, certificate: Certificate) -> None:
        self._registry.put("certificate", certificate.name, asdict(certificate))
