"""Users in the configuration file and in a file of their own."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.acl.files import FileError
from januskv.compat.server.acl.rules import RuleError
from januskv.compat.server.config import Config
from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"  # of "test"


@pytest.fixture
def begin(make_house: Any, tmp_path: Path) -> Any:
    """Starts a server with users in a file of their own."""

    def begin(text: str, **config: Any) -> Any:
        path = tmp_path / "users.acl"
        path.write_text(text)
        house = make_house(aclfile=str(path), **config)
        house.server.users.begin()
        return house

    return begin


def names(house: Any) -> list[str]:
    return [user.name for user in house.server.users.everyone()]


# ---------------------------------------------------------------- a file of users


def test_load_at_start(begin: Any) -> None:
    house = begin(
        f"user alice on #{DIGEST} ~a* +@read (+set ~b)\r\n\n   user bob off >x\nuser default on nopass +ping\n"
    )
    assert names(house) == ["alice", "bob", "default"]
    wire = house.connect()
    assert wire("ACL", "WHOAMI") == ErrorReply("NOPERM User default has no permissions to run the 'acl|whoami' command")
    assert wire("AUTH", "alice", "test") == OK
    assert wire("GET", "a") is None


def test_the_default_user_is_as_configured_unless_the_file_has_it(begin: Any) -> None:
    house = begin("user a on\n", requirepass="pw")
    assert house.server.users.default_fits(b"pw")
    assert house.server.users.locked
    assert not begin("user default on nopass\n", requirepass="pw").server.users.locked


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("alice on\n", ":1 should start with user keyword followed by the username. ", id="no user"),
        pytest.param("\nuser\n", ":2 should start with user keyword followed by the username. ", id="no name"),
        pytest.param("# x\n", ":1 should start with user keyword", id="there are no comments"),
        pytest.param('user a ">x"\n', ":1: Syntax error. ", id="quotes mean nothing"),
        pytest.param("user  a on\n", ":1: Syntax error. ", id="two blanks"),
        pytest.param("user a on\nuser a off\n", "WARNING: Duplicate user 'a' found on line 2. ", id="twice"),
        pytest.param("user a\tb on\n", ":1: username 'a\tb' contains invalid characters. ", id="a blank in a name"),
        pytest.param("user session on\n", ":1: username 'session' contains invalid characters. ", id="reserved"),
        pytest.param("user a (+get\n", ":1: Unmatched parenthesis in selector definition.", id="an open bracket"),
        pytest.param(
            "user a +nosuch >pw +other\n",
            ":1: Error in applying operation '+nosuch': Unknown command or category name in ACL. ",
            id="an unknown command",
        ),
        pytest.param(
            "user a <secret foo\n",
            ":1: The password you are trying to remove from the user does not exist. ",
            id="a rule",
        ),
    ],
)
def test_bad_files(begin: Any, text: str, reason: str) -> None:
    with pytest.raises(FileError) as error:
        begin(text)
    assert reason in str(error.value)
    assert str(error.value).endswith(
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"
    )
    assert "secret" not in str(error.value)


def test_no_file(make_house: Any, tmp_path: Path) -> None:
    house = make_house(aclfile=str(tmp_path / "none"))
    with pytest.raises(FileError, match="Error loading ACLs, opening file '.*none': No such file or directory"):
        house.server.users.begin()


def test_load_and_save(begin: Any) -> None:
    house = begin("user alice on nopass +@all ~* &*\nuser bob on nopass +@all ~* &a\nuser carol on nopass +get\n")
    path = Path(house.server.config.aclfile)
    wire = house.connect()
    clients = {name: house.connect() for name in ("alice", "bob", "carol")}
    for name, client in clients.items():
        assert client("AUTH", name, "x") == OK
    clients["bob"].send(b"SUBSCRIBE a\r\n")
    wire("ACL", "SETUSER", "dave", "on", ">pw", "(+get ~d)")
    assert wire("ACL", "SAVE") == OK
    saved = path.read_text()
    assert saved.splitlines() == [line.decode() for line in wire("ACL", "LIST")]
    assert ">pw" not in saved

    path.write_text(
        saved.replace("user carol", "user karl").replace("+@all ~* &*\nuser", "+@all ~* &*\nuser") + "nonsense\n"
    )
    failed = wire("ACL", "LOAD")
    assert type(failed) is ErrorReply
    assert names(house) == ["alice", "bob", "carol", "dave", "default"]

    path.write_text("user alice on nopass +get ~*\nuser bob on nopass +@all\n")
    assert wire("ACL", "LOAD") == OK
    assert names(house) == ["alice", "bob", "default"]
    assert clients["alice"]("SET", "a", "1") == ErrorReply(
        "NOPERM User alice has no permissions to run the 'set' command"
    )
    assert clients["bob"].transport.aborted  # it listened to a channel
    assert clients["carol"].transport.aborted
    assert clients["alice"].connection.client.user is house.server.users.by_name["alice"]


def test_a_save_replaces_the_file_as_a_whole(begin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house = begin("user alice on\n")
    path = Path(house.server.config.aclfile)
    path.chmod(0o640)
    wire = house.connect()
    assert wire("ACL", "SAVE") == OK
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    before = path.read_text()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    wire("ACL", "SETUSER", "bob", "on")
    monkeypatch.setattr(os, "fsync", full)
    assert wire("ACL", "SAVE") == ErrorReply(
        "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
    )
    assert path.read_text() == before
    assert os.listdir(path.parent) == [path.name]


# ---------------------------------------------------------------- the configuration file


def configured(tmp_path: Path, text: str, name: str = "janus.conf") -> Config:
    path = tmp_path / name
    path.write_text(text)
    config = Config(appendonly=False)
    config.apply_file(str(path))
    return config


def served(make_house: Any, config: Config) -> Any:
    house = make_house(
        requirepass=config.requirepass, aclfile=config.aclfile, acl_pubsub_default=config.acl_pubsub_default
    )
    house.server.config.user_lines, house.server.config.path = config.user_lines, config.path
    house.server.users.begin()
    return house


def test_lines_of_users(make_house: Any, tmp_path: Path) -> None:
    text = 'maxclients 100\nuser alice on ">a b" (+get ~a*) +ping\nuser default off\nacl-pubsub-default allchannels\n'
    house = served(make_house, configured(tmp_path, text))
    assert names(house) == ["alice", "default"]
    assert house.server.users.check("alice", b"a b") is not None
    assert house.server.users.locked
    assert house.connect()("PING") == ErrorReply("NOAUTH Authentication required.")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "user a +nosuch\n", ":1: user 'a': rule '+nosuch': Unknown command or category name in ACL", id="command"
        ),
        pytest.param("\nuser a <pw\n", ":2: user 'a': rule: The password you are", id="no password is shown"),
        pytest.param("user a on\nuser a off\n", ":2: user 'a': Duplicate user found", id="twice"),
        pytest.param("user\n", ":1: user: a name is missing", id="no name"),
        pytest.param("user a (+get\n", ":1: user 'a': Unmatched parenthesis", id="an open bracket"),
        pytest.param("user a on\naclfile x\n", "use one of the two", id="and a file"),
    ],
)
def test_bad_lines(make_house: Any, tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(RuleError) as error:
        served(make_house, configured(tmp_path, text))
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("janus.conf", "# first\nuser alice on >x +get\n# second\nuser bob on\nhz 20\n"),
        ("janus.toml", 'hz = 20\nuser = ["alice on >x +get", "bob on"]\n'),
    ],
)
def test_rewriting(make_house: Any, tmp_path: Path, name: str, text: str) -> None:
    house = served(make_house, configured(tmp_path, text, name))
    wire = house.connect()
    wire("ACL", "DELUSER", "bob")
    wire("ACL", "SETUSER", "carol", "on", ">y", "~a", "(+set ~b)")
    wire("ACL", "SETUSER", "carol", "~a\"b'", "&\\")
    wire("ACL", "SETUSER", 'q"u', "on", '(+get ~"it\'s")')
    wire("CONFIG", "SET", "requirepass", "pw")
    assert wire("CONFIG", "REWRITE") == OK
    rewritten = (tmp_path / name).read_text()
    assert "bob" not in rewritten
    assert "# second" in rewritten or name.endswith("toml")
    again = Config(appendonly=False)
    again.apply_file(str(tmp_path / name))
    other = served(make_house, again)
    assert other.connect()("PING") == ErrorReply("NOAUTH Authentication required.")
    assert other.server.users.config_lines() == house.server.users.config_lines()
    wire("CONFIG", "REWRITE")
    assert (tmp_path / name).read_text() == rewritten


def test_a_server_without_users_of_its_own_writes_none(make_house: Any, tmp_path: Path) -> None:
    house = served(make_house, configured(tmp_path, "hz 20\n"))
    house.connect()("CONFIG", "REWRITE")
    assert "user" not in (tmp_path / "janus.conf").read_text()
