"""Who asks, and what they may see: sessions, passwords, bearer tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from januskv.compat.server.config import Config
from januskv.compat.server.parameters import ConfigError, authorizations_of
from januskv.compat.timely import callers as module
from januskv.compat.timely.callers import ANONYMOUS, Caller, Callers
from januskv.compat.timely.errors import ApiError, Unauthenticated

SECRET = "a secret of thirty-two bytes or more"
MakeHouse = Callable[..., Any]


def opened(make_house: MakeHouse, **config: Any) -> Callers:
    settings = {"requirepass": "test1", "timely_authorizations": "test A,B,C; ops D", **config}
    return Callers(make_house(**settings).server)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# ---------------------------------------------------------------- log-in


@pytest.mark.parametrize(
    ("user", "password", "known"),
    [
        ("test", "test1", True),
        ("ops", "test1", True),
        ("default", "test1", True),
        ("test", "nope", False),
        ("test", "", False),
        ("nobody", "test1", False),
        ("", "test1", False),
        ("session", "test1", False),
        ("Test", "test1", False),
        ("test", "test1 ", False),
        ("test\0", "test1", False),
        ("\ud800", "\ud800", False),
    ],
)
def test_who_may_log_in(make_house: MakeHouse, user: str, password: str, known: bool) -> None:
    assert (opened(make_house).login(user, password) is not None) is known


def test_nobody_logs_in_without_a_password(make_house: MakeHouse) -> None:
    callers = opened(make_house, requirepass="")
    assert callers.login("test", "") is None
    assert callers.login("test", "anything") is None
    assert callers.caller_of(None, basic("test", "")) is ANONYMOUS


def test_a_session_brings_its_user_s_authorizations(make_house: MakeHouse) -> None:
    callers = opened(make_house)
    session = callers.login("test", "test1")
    assert callers.caller_of(session) == Caller("test", frozenset({b"A", b"B", b"C"}), True)
    other = callers.login("default", "test1")
    assert other != session
    assert callers.caller_of(other) == Caller("default", frozenset(), True)


def test_ids_of_sessions_are_random(make_house: MakeHouse) -> None:
    callers = opened(make_house)
    ids = {callers.login("test", "test1") for _ in range(100)}
    assert len(ids) == 100
    assert all(id_ is not None and len(id_) == 36 for id_ in ids)


@pytest.mark.parametrize("session", [None, "", "nosuch", "x" * 10_000])
def test_without_a_session(make_house: MakeHouse, session: str | None) -> None:
    with pytest.raises(Unauthenticated):
        opened(make_house).caller_of(session)
    assert opened(make_house, timely_anonymous="yes").caller_of(session) is ANONYMOUS


def test_an_unknown_session_is_told_from_none(make_house: MakeHouse) -> None:
    with pytest.raises(Unauthenticated, match="must authenticate") as nothing:
        opened(make_house).caller_of(None)
    with pytest.raises(Unauthenticated, match="must authenticate") as unknown:
        opened(make_house).caller_of("nosuch")
    assert nothing.value.detail == (
        "User must authenticate with a client certificate, OAuth token, or login credentials"
    )
    assert unknown.value.detail == "Unknown session id was submitted, log in again"


@pytest.mark.parametrize(
    ("anonymous", "password", "open_"),
    [("auto", "", True), ("auto", "x", False), ("yes", "x", True), ("no", "", False)],
)
def test_anonymous_access(make_house: MakeHouse, anonymous: str, password: str, open_: bool) -> None:
    assert opened(make_house, timely_anonymous=anonymous, requirepass=password).anonymous is open_


def test_a_session_ends(make_house: MakeHouse) -> None:
    house = make_house(requirepass="test1", timely_authorizations="test A", timely_session_max_age=60)
    callers = Callers(house.server)
    session = callers.login("test", "test1")
    house.clock.advance(59_999)
    assert callers.caller_of(session).user == "test"
    house.clock.advance(1)
    with pytest.raises(Unauthenticated):
        callers.caller_of(session)
    house.clock.advance(-1000)
    with pytest.raises(Unauthenticated):
        callers.caller_of(session)


@pytest.mark.parametrize("change", [("requirepass", "other"), ("timely-authorizations", "ops D")])
def test_a_session_ends_with_what_it_stands_on(make_house: MakeHouse, change: tuple[str, str]) -> None:
    house = make_house(requirepass="test1", timely_authorizations="test A")
    callers = Callers(house.server)
    session = callers.login("test", "test1")
    house.server.config.set_text(*change)
    house.server.users.set_default_password(house.server.config.requirepass)
    with pytest.raises(Unauthenticated):
        callers.caller_of(session)


def test_authorizations_that_change_count_at_once(make_house: MakeHouse) -> None:
    house = make_house(requirepass="test1", timely_authorizations="test A")
    callers = Callers(house.server)
    session = callers.login("test", "test1")
    house.server.config.set_text("timely-authorizations", "test B")
    assert callers.caller_of(session).authorizations == {b"B"}


def test_the_number_of_sessions_is_bounded(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SESSIONS", 3)
    callers = opened(make_house)
    ids = [callers.login("test", "test1") for _ in range(4)]
    with pytest.raises(Unauthenticated):
        callers.caller_of(ids[0])
    assert all(callers.caller_of(id_).authenticated for id_ in ids[1:])
    assert len(callers._sessions) == 3


def test_sessions_that_have_ended_make_room(make_house: MakeHouse) -> None:
    house = make_house(requirepass="x", timely_session_max_age=1)
    callers = Callers(house.server)
    for _ in range(50):
        callers.login("default", "x")
        house.clock.advance(1000)
    assert len(callers._sessions) == 1


# ---------------------------------------------------------------- headers


def test_the_password_in_a_header(make_house: MakeHouse) -> None:
    callers = opened(make_house)
    assert callers.caller_of(None, basic("test", "test1")).authorizations == {b"A", b"B", b"C"}
    assert callers.caller_of(None, basic("default", "test1")).user == "default"
    assert callers.caller_of(None, "Bearer test1") == Caller("default", frozenset(), True)


@pytest.mark.parametrize(
    "header",
    [
        basic("test", "nope"),
        basic("nobody", "test1"),
        "Bearer nope",
        "Bearer ",
        "Bearer a.b.c",
        "Basic !!!",
        "Negotiate abc",
        "",
        "Bearer " + "x" * 100_000,
    ],
)
@pytest.mark.parametrize("anonymous", ["yes", "no"])
def test_a_wrong_header_is_refused(make_house: MakeHouse, header: str, anonymous: str) -> None:
    with pytest.raises(Unauthenticated):
        opened(make_house, timely_anonymous=anonymous).caller_of(None, header)


# ---------------------------------------------------------------- tokens


def claims(*auths: str, **more: Any) -> dict[str, Any]:
    principal = {"dn": {"subjectDN": "cn=ada", "issuerDN": "cn=ca"}, "userType": "USER", "auths": list(auths)}
    return {"principals": [principal], "exp": 4_000_000_000, **more}


def token(payload: dict[str, Any], key: Any = SECRET, algorithm: str | None = "HS256", **more: Any) -> str:
    return jwt.encode(payload, key, algorithm, **more)


def test_a_token_brings_its_authorizations(make_house: MakeHouse) -> None:
    callers = opened(make_house, timely_jwt_key=SECRET)
    found = callers.caller_of(None, f"Bearer {token(claims('A', 'X'))}")
    assert found == Caller("cn=ada", frozenset({b"A", b"X"}), True)


def test_a_token_goes_before_a_session(make_house: MakeHouse) -> None:
    callers = opened(make_house, timely_jwt_key=SECRET)
    session = callers.login("test", "test1")
    assert callers.caller_of(session, f"Bearer {token(claims('Z'))}").authorizations == {b"Z"}


def test_tokens_without_a_password(make_house: MakeHouse) -> None:
    callers = opened(make_house, requirepass="", timely_jwt_key=SECRET, timely_anonymous="no")
    assert callers.caller_of(None, f"Bearer {token(claims('A'))}").authenticated
    with pytest.raises(Unauthenticated):
        callers.caller_of(None, "Bearer anything")


def test_all_users_behind_a_proxied_one_must_be_allowed(make_house: MakeHouse) -> None:
    payload = claims("A", "B")
    payload["principals"] += [{"auths": ["B", "C"]}]
    found = opened(make_house, timely_jwt_key=SECRET).caller_of(None, f"Bearer {token(payload)}")
    assert found.may_see(b"B")
    assert found.may_see(b"A|C")
    assert not found.may_see(b"A")
    assert not found.may_see(b"C")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({**claims("A"), "exp": 1}, id="expired"),
        pytest.param({"principals": claims()["principals"]}, id="does not expire"),
        pytest.param({"exp": 4_000_000_000}, id="no principals"),
        pytest.param({**claims(), "principals": []}, id="principals empty"),
        pytest.param({**claims(), "principals": {"auths": ["A"]}}, id="principals are not a list"),
        pytest.param({**claims(), "principals": [{"auths": "A"}]}, id="auths are not a list"),
        pytest.param({**claims(), "principals": [{"auths": [1]}]}, id="auths are not texts"),
        pytest.param({**claims("A"), "nbf": 3_999_999_999}, id="not valid yet"),
    ],
)
def test_bad_claims(make_house: MakeHouse, payload: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        opened(make_house, timely_jwt_key=SECRET).caller_of(None, f"Bearer {token(payload)}")


def pem(key: Any) -> bytes:
    found: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return found


def private(key: Any) -> bytes:
    found: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return found


RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def forged(payload: dict[str, Any], secret: bytes) -> str:
    """A token that a text signs by HS256, which the library does not do with a public key."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    body = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(payload).encode())
    return (body + b"." + part(hmac.digest(secret, body, hashlib.sha256))).decode()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")], ids=["RSA", "EC"])
def test_public_keys(make_house: MakeHouse, tmp_path: Path, key: Any, algorithm: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(key))
    callers = opened(make_house, timely_jwt_key_file=str(path))
    found = callers.caller_of(None, f"Bearer {token(claims('A'), private(key), algorithm)}")
    assert found.authorizations == {b"A"}
    for wrong in (
        forged(claims("A"), pem(key)),
        forged(claims("A"), pem(key).strip()),
        token(claims("A"), None, "none"),
        token(claims("A")),
        token(claims("A"), private(rsa.generate_private_key(65537, 2048)), "RS256"),
        token(claims("A"), private(ec.generate_private_key(ec.SECP256R1())), "ES256"),
    ):
        with pytest.raises(Unauthenticated):
            callers.caller_of(None, f"Bearer {wrong}")


def test_another_algorithm_of_the_same_key(make_house: MakeHouse, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(RSA))
    callers = opened(make_house, timely_jwt_key_file=str(path), timely_jwt_key=SECRET)
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(Unauthenticated):
            callers.caller_of(None, f"Bearer {token(claims('A'), private(RSA), algorithm)}")
    assert callers.caller_of(None, f"Bearer {token(claims('A'), private(RSA), 'RS256')}").authenticated
    assert callers.caller_of(None, f"Bearer {token(claims('A'))}").authenticated


def test_none_is_no_algorithm(make_house: MakeHouse) -> None:
    with pytest.raises(Unauthenticated):
        opened(make_house, timely_jwt_key=SECRET).caller_of(None, f"Bearer {token(claims('A'), None, 'none')}")


def test_a_changed_key_file_counts_at_once(make_house: MakeHouse, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(RSA))
    callers = opened(make_house, timely_jwt_key_file=str(path))
    assert callers.caller_of(None, f"Bearer {token(claims('A'), private(RSA), 'RS256')}").authenticated
    path.write_bytes(pem(EC))
    os.utime(path, ns=(1, 1))
    assert callers.caller_of(None, f"Bearer {token(claims('A'), private(EC), 'ES256')}").authenticated


@pytest.mark.parametrize(
    "text",
    [None, b"", b"nonsense", pem(ec.generate_private_key(ec.SECP384R1()))],
    ids=["none", "empty", "no key", "P-384"],
)
def test_bad_key_files(make_house: MakeHouse, tmp_path: Path, text: bytes | None) -> None:
    path = tmp_path / "key.pem"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ApiError) as caught:
        opened(make_house, timely_jwt_key_file=str(path)).caller_of(None, f"Bearer {token(claims('A'))}")
    assert caught.value.status == 500
    assert str(tmp_path) not in json.dumps(caught.value.document())


# ---------------------------------------------------------------- visibility, parameters


@pytest.mark.parametrize(
    ("visibility", "seen"), [(b"", True), (b"A", True), (b"A&B", False), (b"A|B", True), (b"B", False), (b"A&", False)]
)
def test_what_is_seen(visibility: bytes, seen: bool) -> None:
    assert Caller("x", frozenset({b"A"}), True).may_see(visibility) is seen


def test_authorizations() -> None:
    assert authorizations_of(" test A, B ,C ;; ops D;none ") == {
        "test": frozenset({b"A", b"B", b"C"}),
        "ops": frozenset({b"D"}),
        "none": frozenset(),
    }
    assert authorizations_of("") == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("timely-authorizations", "test A; test B"),
        ("timely-jwt-key", "short"),
        ("timely-anonymous", "perhaps"),
        ("timely-session-max-age", "0"),
        ("timely-downsampling", "influx"),
    ],
)
def test_bad_parameters(name: str, text: str) -> None:
    with pytest.raises(ConfigError):
        Config().set_text(name, text)
