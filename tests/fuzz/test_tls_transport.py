"""What arrives on a port with TLS, cut into pieces, damaged, and ended anywhere: whole requests are answered, nothing else is run."""

from __future__ import annotations

import contextlib
import logging
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.compat.test_tls import V1_2, V1_3, Setting, TlsClient
from tests.conftest import encoded


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    return Setting(tmp_path_factory.mktemp("tls"))


def deliver(client: TlsClient, data: bytes, cuts: list[int]) -> None:
    """Let bytes arrive in pieces."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {len(data)})
    for start, end in zip([0, *places], places, strict=False):
        client.deliver(data[start:end])


CUTS = st.lists(st.integers(0, 1 << 20), max_size=8)
CHANGES = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=3)


@given(
    st.sampled_from([V1_2, V1_3]),
    st.booleans(),
    CUTS,
    CHANGES,
    st.integers(1, 500),
    CHANGES,
    st.sampled_from(["in order", "cut off", "gone"]),
)
def test_any_bytes(
    setting: Setting,
    version: ssl.TLSVersion,
    certificate: bool,
    cuts: list[int],
    hello_changes: list[tuple[int, int]],
    count: int,
    changes: list[tuple[int, int]],
    end: str,
) -> None:
    house = setting.house(tls_auth_clients="optional")
    context = setting.authority.client_context(setting.client if certificate else None, version)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger("januskv"), "error", pytest.fail)
        client = TlsClient(house, context)
        hello = bytearray(client.begin())
        for at, change in hello_changes:
            hello[at % len(hello)] ^= change
        deliver(client, bytes(hello), cuts)
        if not hello_changes:
            client.handshake()
            client.session.write(encoded("INCR", "n") * count)
            data = bytearray(client.outgoing.read())
            for at, change in changes:
                data[at % len(data)] ^= change
            deliver(client, bytes(data), cuts)
            if not changes:
                assert client.received() == b"".join(b":%d\r\n" % number for number in range(1, count + 1))
        if end == "in order" and not client.transport.closed:
            with contextlib.suppress(ssl.SSLError):
                client.session.unwrap()
            client.deliver(client.outgoing.read())
        elif end == "cut off" and not client.transport.closed:
            client.stream.eof_received()
        client.stream.connection_lost(None)
    assert not house.server.clients.by_id
    assert not house.server.tls.unfinished
    assert house.server.clients.handshakes == 0
