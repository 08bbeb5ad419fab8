"""What the IPFS store makes of daemons that lie, stall, break or are not there."""

from __future__ import annotations

import socket
import threading
import time
import warnings
from collections.abc import Callable

import pytest

from storage.cid import CHUNK_BYTES, cid_of
from storage.errors import (
    CidMismatch,
    MissingContent,
    StorageError,
    StoreFull,
    StoreUnavailable,
    TooLarge,
)
from storage.ipfs import IpfsStore
from tests.unit.storage.daemon_double import Answer, Exchange, daemon_double, fails, says, sends

DATA = b"an update"
CID = cid_of(DATA)
OTHER = cid_of(b"something else")


def store_at(url: str, timeout_s: float = 5) -> IpfsStore:
    return IpfsStore(url, timeout_s=timeout_s)


def test_put_asks_for_the_whole_profile() -> None:
    with (
        daemon_double(add=says({"Name": "x", "Hash": CID, "Size": "9"})) as daemon,
        store_at(daemon.url) as store,
    ):
        assert store.put(DATA) == CID
        ((path, options),) = daemon.calls
    assert path == "add"
    assert options["cid-version"] == ["1"]
    assert options["raw-leaves"] == ["True"]
    assert options["chunker"] == [f"size-{CHUNK_BYTES}"]
    assert options["max-file-links"] == ["1024"]
    assert options["pin"] == ["True"]


def test_put_notices_another_name_and_takes_the_pin_back() -> None:
    answers = {"add": says({"Hash": OTHER}), "pin_rm": says({"Pins": [OTHER]})}
    with daemon_double(**answers) as daemon, store_at(daemon.url) as store:
        with pytest.raises(CidMismatch) as caught:
            store.put(DATA)
        assert daemon.calls[-1][1]["arg"] == [OTHER]
    assert CID in str(caught.value)
    assert OTHER in str(caught.value)
    assert "Kubo 0.35" in caught.value.hint


def test_put_says_when_the_wrong_pin_stays() -> None:
    answers = {"add": says({"Hash": OTHER}), "pin_rm": fails("pins are busy")}
    with (
        daemon_double(**answers) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(CidMismatch) as caught,
    ):
        store.put(DATA)
    assert "pins are busy" in caught.value.__notes__[0]


@pytest.mark.parametrize("body", [b"an updatE", b"", b"an upda"])
def test_get_notices_other_bytes(body: bytes) -> None:
    with (
        daemon_double(cat=sends(body)) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(CidMismatch, match=CID),
    ):
        store.get(CID, max_bytes=9)


def test_get_stops_reading_at_the_limit() -> None:
    with daemon_double(cat=lambda exchange: exchange.flood(bytes(1 << 16))) as daemon:
        with store_at(daemon.url) as store, pytest.raises(TooLarge, match="1000 bytes"):
            store.get(CID, max_bytes=1000)
        assert daemon.stop.wait(5), "the connection stayed open"


def test_get_asks_for_one_byte_more_than_allowed() -> None:
    with daemon_double(cat=sends(DATA)) as daemon, store_at(daemon.url) as store:
        assert store.get(CID, max_bytes=9) == DATA
        assert daemon.calls[0][1]["length"] == ["10"]
        assert daemon.calls[0][1]["timeout"] == ["4500ms"]


def test_error_message_longer_than_the_content_is_still_read() -> None:
    with (
        daemon_double(cat=fails("Failed to cat file: request timed out")) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(MissingContent),
    ):
        store.get(CID, max_bytes=0)


@pytest.mark.parametrize(
    "message",
    [
        "request timed out",
        "context deadline exceeded",
        "block was not found locally (offline): ipld: could not find " + CID,
        "merkledag: not found",
    ],
)
def test_absence_in_the_words_of_daemons(message: str) -> None:
    answers = {"cat": fails(message), "pin_add": fails(message), "block_stat": fails(message)}
    with daemon_double(**answers) as daemon, store_at(daemon.url) as store:
        with pytest.raises(MissingContent, match=CID):
            store.get(CID, max_bytes=9)
        with pytest.raises(MissingContent, match=CID):
            store.pin(CID)
        assert not store.has(CID)


def test_a_directory_is_not_content() -> None:
    with (
        daemon_double(cat=fails("this dag node is a directory")) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(CidMismatch, match="directory"),
    ):
        store.get(CID, max_bytes=9)


def test_full_daemon() -> None:
    with (
        daemon_double(add=fails("write: no space left on device")) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(StoreFull, match="no space left"),
    ):
        store.put(DATA)


def test_other_refusals_are_passed_on() -> None:
    with (
        daemon_double(add=fails("lock held"), pin_rm=fails("lock held")) as daemon,
        store_at(daemon.url) as store,
    ):
        for call in (lambda: store.put(DATA), lambda: store.unpin(CID)):
            with pytest.raises(StoreUnavailable, match="lock held") as caught:
                call()
            assert "log" in caught.value.hint


@pytest.mark.parametrize("silence", ["hang", "drip"])
def test_every_call_has_a_deadline(silence: str) -> None:
    timeout_s = 0.4

    def stall(exchange: Exchange) -> None:
        if silence == "hang":
            exchange.hang()
        else:
            exchange.drip(pause_s=0.05, announce=1000)

    answers = dict.fromkeys(("add", "cat", "pin_add", "pin_rm", "pin_ls", "block_stat"), stall)
    with daemon_double(**answers) as daemon, store_at(daemon.url, timeout_s) as store:
        calls: list[Callable[[], object]] = [
            lambda: store.put(DATA),
            lambda: store.get(CID, max_bytes=1 << 20),
            lambda: store.has(CID),
            lambda: store.pin(CID),
            lambda: store.unpin(CID),
            store.pins,
        ]
        for call in calls:
            start_s = time.monotonic()
            with pytest.raises(StoreUnavailable, match=r"no complete answer within 0\.4 s"):
                call()
            assert time.monotonic() - start_s < 2 * timeout_s + 0.5


def test_no_daemon_names_the_address_and_the_way_out() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with store_at(url) as store:
            for call in (lambda: store.put(DATA), lambda: store.get(CID, max_bytes=9), store.pins):
                with pytest.raises(StoreUnavailable, match=url) as caught:
                    call()
                assert "--store disk" in caught.value.hint
                assert "start the daemon" in caught.value.hint


def test_a_proxy_is_no_way_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with daemon_double(cat=sends(DATA)) as daemon, store_at(daemon.url) as store:
        assert store.get(CID, max_bytes=9) == DATA


def test_passwords_stay_out_of_messages() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with store_at(f"http://me:hunter2@127.0.0.1:{free.getsockname()[1]}") as store:
            with pytest.raises(StoreUnavailable) as caught:
                store.put(DATA)
            assert "hunter2" not in str(caught.value) + store.describe()


@pytest.mark.parametrize(
    "answer",
    [
        sends(b"<html>hello</html>"),
        says([]),
        says({}),
        says({"Pins": 1}),
        says({"Keys": 7}),
        lambda exchange: exchange.reply(b"not here", status=404),
        lambda exchange: (exchange.reply(b"short", announce=50), exchange.drop()),
        lambda exchange: exchange.drop(),
        lambda exchange: exchange.flood(b" " * (1 << 16)),
    ],
    ids=["html", "list", "empty", "pins", "keys", "404", "cut", "drop", "flood"],
)
def test_a_server_that_is_no_daemon(answer: Answer) -> None:
    with (
        daemon_double(add=answer) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(StoreUnavailable, match=daemon.url),
    ):
        store.put(DATA)


@pytest.mark.parametrize("answer", [says({"Keys": 7}), says([]), sends(b"no")])
def test_pins_that_are_not_a_list(answer: Answer) -> None:
    with (
        daemon_double(pin_ls=answer) as daemon,
        store_at(daemon.url) as store,
        pytest.raises(StoreUnavailable),
    ):
        store.pins()


def test_a_connection_closed_while_idle_is_opened_again() -> None:
    def closed_once(exchange: Exchange) -> None:
        if exchange.count == 1:
            exchange.drop()
        else:
            exchange.reply(DATA)

    with daemon_double(cat=closed_once) as daemon, store_at(daemon.url) as store:
        assert store.get(CID, max_bytes=9) == DATA
        assert daemon.paths() == ["cat", "cat"]


def test_pins_in_other_spellings_and_profiles() -> None:
    keys = {
        CID: {"Type": "recursive"},
        "zdj7WjAeZCidwZQWi5CqZ5gCRsvRdmiwKVuJMssiQ7DhTnNzu": {"Type": "recursive"},
        "QmULKig5Fxrs2sC4qt9nNduucXfb92AFYQ6Hi3YRqDmrYC": {"Type": "recursive"},
    }
    with daemon_double(pin_ls=says({"Keys": keys})) as daemon, store_at(daemon.url) as store:
        assert store.pins() == {CID, "bafybeigmdn54ysmbug2zhflk2dygoxlh6yn2tnjmaoyp55mtxqvje7erxi"}
    with daemon_double(pin_ls=says({"Keys": None})) as daemon, store_at(daemon.url) as store:
        assert store.pins() == frozenset()


def test_success_prints_no_warning() -> None:
    with daemon_double(cat=sends(DATA)) as daemon, warnings.catch_warnings():
        warnings.simplefilter("error")
        with store_at(daemon.url) as store:
            assert store.get(CID, max_bytes=9) == DATA


def test_threads_share_a_store_with_limits_of_their_own() -> None:
    errors: list[object] = []

    def read(store: IpfsStore, max_bytes: int) -> None:
        for _ in range(20):
            try:
                store.get(CID, max_bytes=max_bytes)
                errors.append(None)
            except StorageError as error:
                errors.append(type(error))

    with daemon_double(cat=sends(DATA)) as daemon, store_at(daemon.url) as store:
        threads = [threading.Thread(target=read, args=(store, limit)) for limit in (9, 8, 9, 8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert errors.count(None) == 40
    assert errors.count(TooLarge) == 40
