"""What a database server says of itself, and of the login that asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerFacts:
    """What a database server says of itself, and of the login that asks.

    Attributes:
        edition: For instance `Standard Edition (64-bit)`.
        login: Name of the login, who owns what it restores.
        controls_server: True for administrators (CONTROL SERVER).
        sees_definitions: True with VIEW ANY DEFINITION: certificates and logins of others are seen.
        has_encryptor: True when it has the certificate or key that was asked about.
        takes_contained: True when databases with users of their own may be there.
    """

    edition: str
    login: str
    controls_server: bool = False
    sees_definitions: bool = False
    has_encryptor: bool = False
    takes_contained: bool = True
