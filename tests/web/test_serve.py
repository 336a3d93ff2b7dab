"""The verb `serve`, as a real process."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from serving import served

SECONDS = 5.0
"""To end in: two on a machine that does nothing else; an open stream without a limit would hold it for good."""


def test_an_empty_project_is_told_what_to_type(tmp_path: Path) -> None:
    with served(tmp_path) as (address, _):
        for path in ("", "compare", "label", "project"):
            answer = httpx.get(address + path)
            assert answer.status_code == 200
            assert "tuneclip import PICTURES --to finds" in answer.text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well_within_two_seconds_of_the_signal(indexed: Path, number: signal.Signals) -> None:
    with served(indexed) as (address, process), httpx.Client() as client:  # holds its connection open
        assert client.get(address).status_code == 200
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert time.monotonic() - began < SECONDS


def test_it_ends_though_the_signal_comes_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as (_, process):
        process.terminate()
        assert process.wait(10) == 0


def test_it_ends_while_a_model_is_being_opened(indexed: Path) -> None:
    with served(indexed) as (address, process):
        host, port = address.split("/")[2].split(":")
        with socket.create_connection((host, int(port))) as asking:
            asking.sendall(f"GET /api/search?collection=small&words=bowl HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            time.sleep(0.4)
            began = time.monotonic()
            process.terminate()
            assert process.wait(10) == 0
            assert time.monotonic() - began < SECONDS


def test_a_second_label_for_the_same_classifier_is_told_which_process_rates(indexed: Path) -> None:
    who = ("small", "a red bowl", "--to", "held")
    with served(indexed, *who, verb="label") as (_, first):
        command = [sys.executable, "-m", "tuneclip", "label", *who, "--project", str(indexed)]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert second.returncode == 1
    assert f"'held' is being rated by process {first.pid}, since " in second.stderr


def test_a_path_as_it_is_typed_leads_nowhere_outside(indexed: Path) -> None:
    with served(indexed) as (address, _):
        host, port = address.split("/")[2].split(":")
        for path in (
            "/pictures/../../../../etc/passwd",
            "/static/../../../../../etc/passwd",
            "//etc/passwd",
            "/static//etc/passwd",
        ):
            with socket.create_connection((host, int(port))) as asking:
                asking.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                answer = b"".join(iter(lambda: asking.recv(4096), b""))
            assert b" 404 " in answer.splitlines()[0]
            assert b"root:" not in answer


def test_a_port_that_is_taken_is_told_in_one_line(tmp_path: Path) -> None:
    import tuneclip

    said = r"cannot be had: Address already in use.*--port 0"
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(tuneclip.TuneclipError, match=said):
        tuneclip.serve(port=taken.getsockname()[1], project=tmp_path)


def test_an_address_that_others_can_reach_needs_the_token_that_is_told(indexed: Path) -> None:
    with served(indexed, "--host", "0.0.0.0") as (address, _):
        home, _, token = address.replace("0.0.0.0", "127.0.0.1").partition("?token=")
        assert len(token) >= 32
        assert httpx.get(home).status_code == 401
        assert httpx.get(home, headers={"Authorization": f"Bearer {token}"}).status_code == 200
