"""Logins of the server and users of its databases.

Logins are the server's. Users are in their database's own file, so that they come along with its backups; where no
login has a user's SID any more the user is orphaned, as after a restore on another server.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import apsw

from lab.sqlserver.engine.registry import Registry
from lab.sqlserver.errors import SqlServerError

ADMINISTRATOR_SID = "01"
USERS_TABLE = "$users"  # a name that no T-SQL statement of the lab's clients gives to a table
_ITERATIONS = 10_000  # of the password's hash: it keeps nobody out of a lab, it keeps passwords out of files


@dataclass(frozen=True)
class Login:
    """`sid`, `salt` and `digest` are hexadecimal; `roles` and `permissions` are those on the server."""

    name: str
    sid: str
    salt: str
    digest: str
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return "sysadmin" in self.roles

    def may(self, permission: str) -> bool:
        """Whether the login has a permission on the server, by itself or by a role."""
        by_role = "dbcreator" in self.roles and permission in ("CREATE ANY DATABASE", "ALTER ANY DATABASE")
        return self.is_admin or by_role or permission in self.permissions


class Logins:
    """The server's logins, kept in the registry; the administrator is one that is not kept."""

    def __init__(self, registry: Registry, user: str, password: str) -> None:
        self._registry = registry
        self._key = secrets.token_bytes(16)
        self._admitted: set[tuple[str, str]] = set()
        """Digests of logins and, hashed with a key of this process, the passwords that have proved right for them."""
        self._administrator = _new(user, password, sid=ADMINISTRATOR_SID, roles=("sysadmin",))

    def all(self) -> list[Login]:
        return [self._administrator, *(_login(record) for record in self._registry.all("login"))]

    def find(self, name: str) -> Login | None:
        if name.lower() == self._administrator.name.lower():
            return self._administrator
        record = self._registry.get("login", name)
        return _login(record) if record else None

    def get(self, name: str) -> Login:
        """Raises SqlServerError 15151 if there is none of that name."""
        login = self.find(name)
        if login is None:
            raise SqlServerError(15151, "login", name)
        return login

    def admits(self, name: str, password: str) -> bool:
        """Whether that is the login's password. Hashed slowly once for each: clients sign in for every statement."""
        login = self.find(name)
        if login is None:
            return False
        proof = login.digest, hashlib.sha256(self._key + password.encode()).hexdigest()
        if proof not in self._admitted and secrets.compare_digest(_digest(password, login.salt), login.digest):
            self._admitted.add(proof)
        return proof in self._admitted

    def create(self, name: str, password: str) -> None:
        """Raises SqlServerError 15025 if there is one of that name."""
        with self._registry.lock:
            if self.find(name):
                raise SqlServerError(15025, name)
            self.put(_new(name, password, sid=secrets.token_hex(16).upper()))

    def put(self, login: Login) -> None:
        self._registry.put("login", login.name, asdict(login))

    def drop(self, name: str) -> None:
        with self._registry.lock:
            self._registry.delete("login", self.get(name).name)

    def change(self, name: str, kind: str, value: str, add: bool) -> None:
        """Give a login a role (`kind` is "roles") or a permission ("permissions"), or take it away."""
        with self._registry.lock:
            login = self.get(name)
            record = asdict(login)
            others = {*record[kind]} - {value}
            self.put(_login(record | {kind: sorted(others | {value}) if add else sorted(others)}))


def users(connection: apsw.Connection, place: str = "main") -> list[tuple[str, str, set[str]]]:
    """The users of the database at `place`: names, SIDs, roles."""
    if not connection.table_exists(place, USERS_TABLE):
        return []
    rows = connection.execute(f'SELECT name, sid, roles FROM "{place}"."{USERS_TABLE}" ORDER BY rowid')  # noqa: S608
    return [(name, sid, set(roles.split())) for name, sid, roles in rows]


def put_user(connection: apsw.Connection, name: str, sid: str, roles: set[str]) -> None:
    connection.execute(
        f'CREATE TABLE IF NOT EXISTS "{USERS_TABLE}" (name TEXT COLLATE NOCASE PRIMARY KEY, sid TEXT, roles TEXT)'
    )
    row = name, sid, " ".join(sorted(roles))
    connection.execute(f'INSERT OR REPLACE INTO "{USERS_TABLE}" VALUES (?, ?, ?)', row)  # noqa: S608 - our own name


def drop_user(connection: apsw.Connection, name: str) -> None:
    connection.execute(f'DELETE FROM "{USERS_TABLE}" WHERE name = ?', (name,))  # noqa: S608 - our own name


def _new(name: str, password: str, sid: str, roles: tuple[str, ...] = ()) -> Login:
    salt = secrets.token_hex(8)
    return Login(name, sid, salt, _digest(password, salt), roles)


def _digest(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), _ITERATIONS).hex()


def _login(record: dict[str, Any]) -> Login:
    sequences = {"roles": tuple(record["roles"]), "permissions": tuple(record["permissions"])}
    return Login(**record | sequences)
