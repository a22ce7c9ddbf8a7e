"""The account of PostgreSQL's server, which root makes once on a machine."""

from __future__ import annotations

import os
import pwd
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo import postgres


def test_of_several_who_begin_on_a_new_machine_at_once_one_makes_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def make_if_missing(name: str) -> None:
        if name in made:
            return
        time.sleep(0.2)  # as useradd takes, which then refuses a name that is there
        if name in made:
            raise subprocess.CalledProcessError(9, "useradd")
        made.append(name)

    monkeypatch.setattr(postgres, "ensure_user_exists", make_if_missing)
    monkeypatch.setattr(postgres, "SERVER_ACCOUNT", pwd.getpwuid(os.geteuid()).pw_name)
    begin = threading.Barrier(4)

    def ask(_: int) -> int:
        begin.wait()
        return postgres.server_account().pw_uid

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {os.geteuid()}
    assert len(made) == 1
