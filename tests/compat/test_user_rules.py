"""Rules of users: how they are shown, what they allow, and that a description gives the same rights again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.compat.commands import build_table
from januskv.compat.server.acl.passwords import fits, is_digest, scrypt_of, sha256_of
from januskv.compat.server.acl.rights import User, uses_in, uses_of
from januskv.compat.server.acl.rules import RuleError, Rules, config_line_of, line_of, merged, shown
from januskv.compat.server.config import Config
from januskv.resp.inline import split_words

TABLE = build_table()
RULES = Rules(TABLE, Config())


def user_of(*rules: str) -> User:
    user = RULES.new_user("u")
    RULES.apply_all(user, [rule.encode() for rule in rules])
    return user


def refusal(user: User, line: str) -> str:
    argv = split_words(line.encode())
    assert argv
    command = TABLE.find(argv)
    assert command is not None
    found = user.refusal(command, argv)
    return "" if found is None else f"{found.reason} {found.name.decode()}"


@pytest.mark.parametrize(
    ("rules", "description"),
    [
        pytest.param("", "off sanitize-payload resetchannels -@all", id="a new user has no rights"),
        pytest.param(
            "+get -get +get", "off sanitize-payload resetchannels -@all +get", id="the last rule of a command"
        ),
        pytest.param(
            "+config|get +config",
            "off sanitize-payload resetchannels -@all +config",
            id="a container takes its parts in",
        ),
        pytest.param(
            "+config -config|set", "off sanitize-payload resetchannels -@all +config -config|set", id="and a part stays"
        ),
        pytest.param("+@read +@all", "off sanitize-payload resetchannels +@all", id="all commands end what was before"),
        pytest.param("%R~a %W~a", "off sanitize-payload ~a resetchannels -@all", id="rights to a key add up"),
        pytest.param("+Get +@REAd", "off sanitize-payload resetchannels -@all +get +@read", id="in any letter case"),
        pytest.param("+kv_get", "off sanitize-payload resetchannels -@all +kv_get", id="a native command"),
        pytest.param(
            "session:b* session:a ~x", "off sanitize-payload session:b* session:a ~x resetchannels -@all", id="sessions"
        ),
        pytest.param(
            "session:a resetsessions", "off sanitize-payload resetsessions resetchannels -@all", id="no sessions"
        ),
        pytest.param("session:a allsessions", "off sanitize-payload resetchannels -@all", id="all sessions"),
        pytest.param("(&a) ON", "on sanitize-payload resetchannels -@all (resetchannels &a -@all)", id="a selector"),
    ],
)
def test_description(rules: str, description: str) -> None:
    assert shown(user_of(*rules.split())).decode() == description


@pytest.mark.parametrize(
    "rule", ["+{", "-{", "+", "-", "+|", "+get|", "@", "%", "#", "!x", "<x", "(get)", "~a b", "&a\0"]
)
def test_what_is_no_rule(rule: str) -> None:
    with pytest.raises(RuleError):
        user_of(rule)


@pytest.mark.parametrize(
    ("rules", "whole"),
    [
        pytest.param("a (b c) d", ["a", "(b c)", "d"], id="parts are joined"),
        pytest.param("(a) (b", None, id="open"),
        pytest.param("( a )", ["( a )"], id="brackets that stand alone"),
        pytest.param("a) b", ["a)", "b"], id="closed only"),
    ],
)
def test_selectors_of_several_words(rules: str, whole: list[str] | None) -> None:
    words = rules.encode().split()
    if whole is None:
        with pytest.raises(RuleError, match="Unmatched parenthesis"):
            merged(words)
    else:
        assert merged(words) == [each.encode() for each in whole]


@pytest.mark.parametrize(
    ("rules", "line", "expected"),
    [
        pytest.param("+get ~a*", "GET abc", "", id="allowed"),
        pytest.param("+get ~a*", "GET b", "key b", id="another key"),
        pytest.param("+get ~a*", "SET a 1", "command set", id="another command"),
        pytest.param("+get ~a (~b +get)", "GET c", "key c", id="no selector has the key"),
        pytest.param("+@all ~a &c (~b +get)", "PUBLISH d x", "channel d", id="a channel"),
        pytest.param("+mget ~a (~b +mget)", "MGET a c", "key c", id="the key that comes furthest is named"),
        pytest.param("+mget ~a (~b +mget)", "MGET a b", "key b", id="rights of selectors do not add up"),
        pytest.param("+@all %R~*", "SET a 1", "key a", id="read only"),
        pytest.param("+@all %R~a %W~*", "COPY a b", "", id="read one, write another"),
        pytest.param("+select|1", "SELECT 1", "", id="a first argument"),
        pytest.param("+select|1", "SELECT 2", "command select", id="another first argument"),
        pytest.param("+echo|HI", "ECHO hi", "", id="a first argument in any letter case"),
        pytest.param("+select|1 -select", "SELECT 1", "command select", id="which is taken away with its command"),
        pytest.param("-@all", "AUTH x", "", id="everyone may log in"),
        pytest.param("+client|id", "CLIENT ID", "", id="a subcommand"),
        pytest.param("+client|id", "CLIENT LIST", "command client|list", id="another subcommand"),
        pytest.param("+client -client|list", "CLIENT LIST", "command client|list", id="all but one subcommand"),
        pytest.param("+KV_GET ~a", """KV_GET '{"keys":["a"]}' """, "", id="a native command over RESP"),
        pytest.param("+KV_GET ~a", """KV_GET '{"keys":["a","b"]}' """, "key b", id="its keys are in its body"),
        pytest.param("+@keyvalue %R~a", """KV_SET '{"keys":{"a":1}}' """, "key a", id="native: read only"),
        pytest.param("+@keyvalue %W~a", """KV_SET '{"keys":{"a":1}}' """, "", id="native: write"),
        pytest.param(
            "+SV_PUBLISH &a", """SV_PUBLISH '{"channel":"b","message":""}' """, "channel b", id="native: channel"
        ),
        pytest.param(
            "+@pubsub &a*",
            """SV_SUBSCRIBE '{"channels":["ab"],"patterns":["a?"]}' """,
            "channel a?",
            id="native: pattern",
        ),
        pytest.param("+ts.add +@all -ts.add ~*", "TS.ADD a 1 1", "command ts.add", id="a command of a module"),
        pytest.param("+@timeseries ~x", "TS.MGET FILTER a=b", "", id="those of a module are in a category of ours"),
    ],
)
def test_who_may_do_what(rules: str, line: str, expected: str) -> None:
    user = user_of(*rules.split())
    assert refusal(user, line) == expected
    assert not user.unrestricted


@pytest.mark.parametrize(
    ("rules", "unrestricted"),
    [
        ("+@all ~* &*", True),
        ("allcommands allkeys allchannels", True),
        ("(+@all ~* &*)", True),
        ("+@all ~* (+@all &*)", False),
        ("+@all -get ~* &*", False),
        ("+@all %R~* &*", False),
        ("+@all ~*", False),
        ("+@all ~* &* session:*", False),
    ],
)
def test_who_needs_no_checks(rules: str, unrestricted: bool) -> None:
    assert user_of(*rules.split()).unrestricted == unrestricted


def test_keys_of_a_body_are_those_of_its_command_line() -> None:
    command = TABLE.native["KV_GET"]
    body = {"keys": ["a", "b"]}
    assert uses_in(command, body) == uses_of(command, [b"KV_GET", b'{"keys":["a","b"]}'])


# ---------------------------------------------------------------- passwords


def test_passwords() -> None:
    digest = scrypt_of(b"secret")
    assert is_digest(digest)
    assert fits(b"secret", [sha256_of(b"a"), digest])
    assert fits(b"a", [sha256_of(b"a"), digest])
    assert fits(b"secret", [digest])  # from memory
    assert not fits(b"Secret", [sha256_of(b"a"), digest])
    assert not fits(b"", [])


@pytest.mark.parametrize(
    "digest",
    [
        "scrypt:16385,8,1$00$" + "00" * 32,
        "scrypt:1048576,8,1$00$" + "00" * 32,
        "scrypt:65536,32,1$00$" + "00" * 32,
        "scrypt:16384,8,9$00$" + "00" * 32,
        "scrypt:16384,8,1$000$" + "00" * 32,
        "scrypt:16384,8,1$00$00",
        "scrypt:16384,8,0$00$" + "00" * 32,
        "scrypt:",
        "A" * 64,
        "a" * 63,
    ],
)
def test_what_is_no_digest(digest: str) -> None:
    assert not is_digest(digest)
    with pytest.raises(RuleError, match="password hash"):
        user_of("#" + digest)


def test_scrypt_where_it_is_asked_for() -> None:
    user = user_of(">scrypt:secret", ">plain")
    slow, quick = user.passwords
    assert slow.startswith("scrypt:16384,8,1$")
    assert quick == sha256_of(b"plain")
    again = user_of(*shown(user).decode().split())
    assert again.passwords == user.passwords
    RULES.apply_all(user, [b"<scrypt:secret"])
    assert user.passwords == [quick]
    other = user_of(f"#{slow}")
    RULES.apply_all(other, [b"<secret"])
    assert other.passwords == []


# ---------------------------------------------------------------- any rules

NAMES = [
    "get",
    "set",
    "config",
    "config|get",
    "config|set",
    "client",
    "client|id",
    "mget",
    "select",
    "kv_get",
    "acl|whoami",
]
WORDS = st.one_of(
    st.sampled_from(
        ["on", "off", "nopass", "resetpass", "reset", "sanitize-payload", "skip-sanitize-payload", ">pw", ">q"]
    ),
    st.sampled_from(["clearselectors", "allsessions", "resetsessions", "session:a", "session:b*"]),
)
RIGHTS = st.one_of(
    st.builds(str.__add__, st.sampled_from("+-"), st.sampled_from(NAMES)),
    st.builds(lambda mark, name: f"{mark}@{name}", st.sampled_from("+-"), st.sampled_from(["all", *RULES.by_category])),
    st.sampled_from(["+select|0", "+select|1", "+echo|a"]),
    st.builds(str.__add__, st.sampled_from(["~", "%R~", "%W~"]), st.sampled_from(["a", "a*", "*", "[ab]?", ""])),
    st.builds(str.__add__, st.just("&"), st.sampled_from(["a", "a*", "*"])),
    st.sampled_from(["allkeys", "resetkeys", "allchannels", "resetchannels", "allcommands", "nocommands"]),
)
QUOTED = st.sampled_from(['~a"b', "&it's", "~\\", '&"'])
SELECTORS = st.builds(lambda rules: f"({' '.join(rules)})", st.lists(RIGHTS, max_size=4))
ROOT = st.one_of(WORDS, RIGHTS, SELECTORS, QUOTED, st.just("""(~"a'b" &'c"d')"""))
LINES = [
    *("GET a", "GET b", "SET ab 1", "MGET a b", "CONFIG GET x", "CONFIG SET a b", "CLIENT ID", "SELECT 0", "SELECT 2"),
    *(
        "ECHO a",
        "ECHO b",
        "PUBLISH a x",
        "PUBLISH b x",
        "PSUBSCRIBE a*",
        "ACL WHOAMI",
        """KV_GET '{"keys":["a"]}' """,
        "DEL x",
    ),
]


def rights(user: User) -> tuple[Any, ...]:
    """All that a user is and may do."""
    return (
        user.enabled,
        user.nopass,
        user.passwords,
        user.sanitizes,
        user.unrestricted,
        None if user.sessions is None else list(user.sessions),
        [user.may_enter(name) for name in (None, "", "a", "bc")],
        [(each.commands, each.all_commands, each.takes_new) for each in user.selectors],
        [{command: sorted(words) for command, words in each.first_args.items()} for each in user.selectors],
        [refusal(user, line) for line in LINES],
    )


@settings(max_examples=300)
@given(st.lists(ROOT, max_size=10))
def test_a_description_gives_the_same_rights_again(rules: list[str]) -> None:
    user = RULES.new_user("u")
    for rule in rules:
        copy = user.copy()
        try:
            RULES.apply_all(copy, [rule.encode()])
        except RuleError:
            assert rights(user) == rights(user.copy())
            continue
        user.become(copy)
    in_configuration = split_words(config_line_of(user))
    assert in_configuration is not None
    for words in (line_of(user).split(b" "), in_configuration):  # a line of an ACL file, and of the configuration
        again = RULES.new_user("u")
        RULES.apply_all(again, words[2:])
        assert rights(again) == rights(user)
        assert line_of(again) == line_of(user)
