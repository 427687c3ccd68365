from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from secure_words import Files

from seem_server.transport.tls import read_tls
from seem_wire.errors import InvalidValue


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def test_what_the_files_hold_is_for_grpc_and_the_key_is_not_shown(files):
    tls = read_tls(*files.server, files.ca)
    assert isinstance(tls.credentials(), grpc.ServerCredentials)
    assert tls.client_ca == Path(files.ca).read_bytes()
    assert "PRIVATE" not in repr(tls)


def test_a_key_of_another_certificate_is_refused(files):
    with pytest.raises(InvalidValue, match=r"no certificate with its key"):
        read_tls(files.server[0], files.client[1])


def test_what_is_no_certificate_is_refused(files, tmp_path):
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(InvalidValue, match=r"no certificate with its key"):
        read_tls(str(nonsense), files.server[1])
    with pytest.raises(InvalidValue, match="holds no certificate"):
        read_tls(*files.server, str(nonsense))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(files, tmp_path):
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(Path(files.server[1]).read_bytes(), None)
    locked = tmp_path / "locked.pem"
    cipher = form.BestAvailableEncryption(b"secret")
    locked.write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, cipher),
    )
    with pytest.raises(InvalidValue):
        read_tls(files.server[0], str(locked))


def test_a_file_that_is_not_there_is_told(files):
    with pytest.raises(FileNotFoundError, match=r"no\.pem"):
        read_tls("no.pem", files.server[1])
