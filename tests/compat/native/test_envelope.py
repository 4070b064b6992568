"""What is looked at before a command runs, in which order, and how it is answered (specs: nemesis.md 3.2, 3.3)."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from januskv.commands.declare import NO_KEYS, Param
from januskv.commands.params import NativeError, ParamCheck
from januskv.commands.status import TIME_SERIES
from januskv.commands.table import Family
from januskv.resp.replies import OK, ErrorReply, Simple
from januskv.storage.errors import StringTooLong

# What is not JSON is told without a text to JSON lines and WebSocket, as in NemesisDB; a body over RESP, which it has not, with one.
NO_JSON = b'{"ERR":{"st":3,"m":"unexpected end of data'
EMPTY = b'{"ERR":{"st":3,"m":"Input is a zero-length, empty document'


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        pytest.param(b"{", b'{"ERR":{"st":3,"m":""}}', id="no JSON"),
        pytest.param(b'{"KV_COUNT":{}} {}', b'{"ERR":{"st":3,"m":""}}', id="a second object"),
        pytest.param(b'{"KV_COUNT":{},}', b'{"ERR":{"st":3,"m":""}}', id="comma before the end"),
        pytest.param(b"{}", b'{"ERR":{"st":13,"m":""}}', id="an empty object"),
        pytest.param(b'{"KV_COUNT":{},"KV_KEYS":{}}', b'{"ERR":{"st":11,"m":""}}', id="two commands"),
        pytest.param(b'{"KV_COUNT":{},"KV_COUNT":{}}', b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}', id="one command, twice"),
        pytest.param(b'{"TS_GET":{},"KV_KEYS":{}}', b'{"ERR":{"st":5,"msg":""}}', id="two, of time series"),
        pytest.param(b'{"KV_COUNT":[]}', b'{"KV_COUNT_RSP":{"st":12,"tkn":null,"m":""}}', id="body is an array"),
        pytest.param(b'{"KV_COUNT":null}', b'{"KV_COUNT_RSP":{"st":12,"tkn":null,"m":""}}', id="body is null"),
        pytest.param(b'{"NONE":5}', b'{"NONE_RSP":{"st":12,"tkn":null,"m":""}}', id="body first, then the name"),
        pytest.param(b'{"NONE":{}}', b'{"NONE_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="unknown name"),
        pytest.param(
            b'{"kv_count":{}}',
            b'{"kv_count_RSP":{"st":10,"tkn":null,"m":"Unknown command, its name is KV_COUNT"}}',
            id="names are upper case",
        ),
        pytest.param(
            b'{"GET":{}}',
            b'{"GET_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}',
            id="a Redis verb is not a native command",
        ),
        pytest.param(b'{"":{}}', b'{"_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="empty name"),
        pytest.param(b'{"a\\n\\"b":{}}', b'{"a\\n\\"b_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="odd name"),
        pytest.param(b'{"TS_NONE":{}}', b'{"ERR":{"st":6,"msg":"Unknown command"}}', id="unknown name of time series"),
        pytest.param(b'{"TS_NONE":5}', b'{"ERR":{"st":6,"msg":"Unknown command"}}', id="whatever its body"),
        pytest.param(
            b'{"KV_SET":{}}',
            b'{"KV_SET_RSP":{"st":26,"tkn":null,"m":"Missing parameter","param":"keys"}}',
            id="parameters",
        ),
        pytest.param(b'{"KV_COUNT":{"more":1}}', b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}', id="more parameters"),
        pytest.param(b' \t{"KV_COUNT":{}} \r', b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}', id="white space around"),
    ],
)
def test_line(line: Any, text: bytes, reply: bytes) -> None:
    assert line(text) == reply


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"", 3),
        (b"[1,2]", 13),
        (b"17", 13),
        (b"null", 13),
        (b'"KV_COUNT"', 13),
        (b"[]", 13),
        (b"\xff", 3),
        (b"nonsense", 3),
    ],
    ids=str,
)
def test_messages_that_are_no_object(house: Any, wire: Any, text: bytes, status: int) -> None:
    answer = house.native.answer(wire.connection.context, text)
    assert json.loads(answer) == {"ERR": {"st": status, "m": ""}}


def test_a_message_may_begin_with_a_byte_order_mark(house: Any, wire: Any) -> None:
    answer = house.native.answer(wire.connection.context, '\ufeff{"KV_COUNT":{}}'.encode())
    assert answer == b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}'


def test_what_is_no_text(house: Any) -> None:
    assert house.native.binary_refusal() == b'{"ERR":{"st":2,"m":""}}'


# ---------------------------------------------------------------- listeners

LISTENERS = ["line", "document", "verb", "message"]


@pytest.mark.parametrize("listener", LISTENERS)
def test_every_listener_leads_to_the_same_command(through: Any, listener: str) -> None:
    assert through(listener, "KV_SET", {"keys": {"a": [1, "x:y"]}}) == {"KV_SET_RSP": {"st": 1}}
    assert through(listener, "KV_SETQ", {"keys": {"b": None}}) is None
    assert through(listener, "KV_SETQ", {"keys": 1})["KV_SETQ_RSP"]["st"] == 41
    assert through(listener, "KV_GET", {"keys": ["a", "b"]}) == {
        "KV_GET_RSP": {"st": 1, "keys": {"a": [1, "x:y"], "b": None}}
    }


def test_a_resp_client_gets_one_reply_for_each_command(wire: Any) -> None:
    assert wire('{"KV_SETQ":{"keys":{"a":1}}}') == OK
    assert wire("KV_SETQ", '{"keys":{"b":2}}') == OK
    assert wire('{"KV_COUNT":{}}') == b'{"KV_COUNT_RSP":{"st":1,"cnt":2}}'


@pytest.mark.parametrize(
    ("argv", "reply"),
    [
        pytest.param(["KV_COUNT"], b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}', id="the body may be left out"),
        pytest.param(["kv_count", "{}"], b'{"KV_COUNT_RSP":{"st":1,"cnt":0}}', id="verbs have no letter case"),
        pytest.param(["KV_COUNT", "{"], NO_JSON + b': line 1 column 2 (char 1)"}}', id="no JSON"),
        pytest.param(["KV_COUNT", ""], EMPTY + b': line 1 column 1 (char 0)"}}', id="empty text"),
        pytest.param(["KV_COUNT", "5"], b'{"KV_COUNT_RSP":{"st":12,"tkn":null,"m":""}}', id="no object"),
        pytest.param(["{"], b'{"ERR":{"st":3,"m":""}}', id="no JSON, one word"),
        pytest.param(['{"NONE":{}}'], b'{"NONE_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="unknown name"),
    ],
)
def test_resp_listeners(wire: Any, argv: list[str], reply: bytes) -> None:
    assert wire(*argv) == reply


def test_too_many_words(wire: Any) -> None:
    assert wire("KV_COUNT", "{}", "{}") == ErrorReply("ERR wrong number of arguments for 'kv_count' command")


def test_an_array_in_one_word_is_an_unknown_command(wire: Any) -> None:
    assert wire('["KV_COUNT"]').text.startswith(b"ERR unknown command")


def test_lines_and_commands_in_one_read_are_answered_in_order(wire: Any) -> None:
    sent = b'PING\r\n{"KV_SET":{"keys":{"a":"1"}}}\n{"KV_SETQ":{"keys":{"b":2}}}\r\nGET a\r\n{"KV_COUNT":{}}\n'
    assert wire.send(sent) == b'+PONG\r\n{"KV_SET_RSP":{"st":1}}\n$1\r\n1\r\n{"KV_COUNT_RSP":{"st":1,"cnt":2}}\n'


def test_a_line_in_pieces(wire: Any) -> None:
    text = b'{"KV_SET":{"keys":{"a":"1"}}}\n'
    assert [wire.send(text[i : i + 1]) for i in range(len(text))][-1] == b'{"KV_SET_RSP":{"st":1}}\n'


def test_a_line_beyond_the_limit_is_refused_and_ends_the_connection(make_house: Any) -> None:
    wire = make_house(json_max_payload=70_000).connect()
    answer = wire.send(b'{"KV_SET":{"keys":{"a":"' + b"x" * 80_000)
    assert json.loads(answer)["ERR"]["st"] == 3
    assert wire.transport.closed


# ---------------------------------------------------------------- transactions


@pytest.mark.parametrize("listener", ["document", "verb"])
def test_resp_requests_are_queued(wire: Any, house: Any, listener: str) -> None:
    argv = ['{"KV_SET":{"keys":{"a":1}}}'] if listener == "document" else ["KV_SET", '{"keys":{"a":1}}']
    wire("MULTI")
    assert wire(*argv) == Simple(b"QUEUED")
    assert house.connect()("EXISTS", "a") == 0
    assert wire("EXEC") == [b'{"KV_SET_RSP":{"st":1}}']


def test_a_refused_request_does_not_stop_the_others(wire: Any) -> None:
    wire("MULTI")
    wire("KV_SET", "{}")
    wire("SET", "a", "1")
    assert wire("EXEC") == [b'{"KV_SET_RSP":{"st":26,"tkn":null,"m":"Missing parameter","param":"keys"}}', OK]


@pytest.mark.parametrize(
    ("text", "name", "status"),
    [(b'{"KV_SET":{"keys":{"a":1}}}', "KV_SET_RSP", 171), (b"{", "ERR", 3), (b"{}", "ERR", 13)],
    ids=str,
)
def test_a_line_inside_a_transaction_fails_it(wire: Any, line: Any, text: bytes, name: str, status: int) -> None:
    wire("MULTI")
    wire("SET", "b", "1")
    reply = json.loads(line(text))
    assert reply[name]["st"] == status
    assert wire("EXEC") == ErrorReply("EXECABORT Transaction discarded because of previous errors.")
    assert wire("DBSIZE") == 0
    assert json.loads(line(b'{"KV_COUNT":{}}')) == {"KV_COUNT_RSP": {"st": 1, "cnt": 0}}


# ---------------------------------------------------------------- errors


def test_an_unexpected_error_is_logged_and_answered_without_details(
    house: Any, through: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(ctx: object, body: object) -> None:
        raise RuntimeError("secret")

    house.native.native["KV_COUNT"].handle = broken
    with caplog.at_level(logging.ERROR, "januskv"):
        assert through("line", "KV_COUNT", {}) == {"KV_COUNT_RSP": {"st": 1000, "tkn": None, "m": ""}}
    assert "secret" in caplog.text


def test_facts_of_the_engine_are_worded(house: Any, through: Any) -> None:
    def refuse(ctx: object, body: object) -> None:
        raise StringTooLong

    house.native.native["KV_COUNT"].handle = refuse
    reply = through("line", "KV_COUNT", {})["KV_COUNT_RSP"]
    assert reply == {"st": 42, "tkn": None, "m": "string exceeds maximum allowed size (proto-max-bulk-len)"}


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        pytest.param(NativeError(20, "no series"), {"TS_TRY_RSP": {"st": 20, "msg": "no series"}}, id="refused"),
        pytest.param(RuntimeError("x"), {"ERR": {"st": 4, "msg": ""}}, id="failed"),
    ],
)
def test_the_dialect_of_time_series(house: Any, through: Any, error: Exception, reply: dict[str, Any]) -> None:
    family = Family("native", TIME_SERIES)

    @family.native("TS_TRY", keys=NO_KEYS)
    def ts_try(ctx: object, body: object) -> None:
        """{"TS_TRY": {}}

        Fails.
        """
        raise error

    house.native.native["TS_TRY"] = family.commands[0]
    assert through("line", "TS_TRY", {}) == reply
    assert through("line", "TS_TRY", 5) == reply  # what is not an object counts as an empty one


def test_parameters_in_the_dialect_of_time_series() -> None:
    rules = ParamCheck((Param("name", "string", empty_text="empty"),), TIME_SERIES)
    found = []
    for body in ({}, {"name": 1}, {"name": ""}):
        with pytest.raises(NativeError) as refused:
            rules.check(body)
        found.append(refused.value.status)
    assert found == [7, 8, 9]
