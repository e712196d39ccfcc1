# SPDX-License-Identifier: Apache-2.0
"""TLS options of a URI, against a mongod that demands TLS and a client certificate it knows."""

import pathlib
import subprocess
import time
from collections.abc import Iterator

import pytest

from mongodb import errors
from mongodb._core import Client

from ..conftest import find_mongod, free_port


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_authority(folder: pathlib.Path, name: str) -> None:
    openssl(
        *f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name}".split(),
        *["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")],
    )


def make_certificate(folder: pathlib.Path, name: str, alternative: str) -> None:
    """A key and certificate signed by the authority `good`, in one PEM file."""
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName={alternative}\n")
    openssl(
        *f"req -newkey rsa:2048 -nodes -subj /O=test/CN={name}".split(),
        *["-keyout", str(key), "-out", str(request)],
    )
    openssl(
        *["x509", "-req", "-days", "2", "-in", str(request), "-out", str(certificate)],
        *["-CA", str(folder / "good.crt"), "-CAkey", str(folder / "good.key")],
        *["-CAcreateserial", "-extfile", str(extensions)],
    )
    (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, pathlib.Path]]:
    """The port of the server and the folder of the certificates."""
    program = find_mongod()
    if program is None:
        pytest.skip("no mongod: install the test extra")
    folder = tmp_path_factory.mktemp("tls")
    make_authority(folder, "good")
    make_authority(folder, "other")
    make_certificate(folder, "server", "IP:127.0.0.1")
    make_certificate(folder, "client", "DNS:client")
    port = free_port()
    data = folder / "data"
    data.mkdir()
    server = subprocess.Popen(
        [program, "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"]
        + ["--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(folder / "server.pem")]
        + ["--tlsCAFile", str(folder / "good.crt"), "--wiredTigerCacheSizeGB", "0.25"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port, folder
    finally:
        server.kill()
        server.wait()


def ping(port: int, options: str, patience: float = 0) -> object:
    """Ping with a fresh client; again for a while when the server may still be starting."""
    deadline = time.monotonic() + patience
    while True:
        client = Client(f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=2000&{options}")
        try:
            return client.run("admin", {"ping": 1})["ok"]
        except errors.ConnectionFailure:
            if time.monotonic() > deadline:
                raise
        finally:
            client.close()


def test_known_certificates_connect(tls: tuple[int, pathlib.Path]) -> None:
    port, folder = tls
    options = f"tls=true&tlsCAFile={folder}/good.crt&tlsCertificateKeyFile={folder}/client.pem"
    assert ping(port, options, patience=30) == 1


def test_server_of_another_authority_is_refused(tls: tuple[int, pathlib.Path]) -> None:
    port, folder = tls
    options = f"tls=true&tlsCAFile={folder}/other.crt&tlsCertificateKeyFile={folder}/client.pem"
    with pytest.raises(errors.ConnectionFailure, match="(?i)certificate|tls"):
        ping(port, options)


def test_plain_connection_to_a_tls_server_fails_with_its_address(
    tls: tuple[int, pathlib.Path],
) -> None:
    port, _ = tls
    with pytest.raises(errors.ConnectionFailure, match=f"127.0.0.1:{port}"):
        ping(port, "tls=false")


def test_missing_authority_file_is_named(tls: tuple[int, pathlib.Path]) -> None:
    port, folder = tls
    with pytest.raises(errors.MongoError, match="nowhere.crt"):
        ping(port, f"tls=true&tlsCAFile={folder}/nowhere.crt")
