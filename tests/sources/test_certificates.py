"""HTTPS behind an authority of one's own: one variable for published files, the Hub and pip."""

import datetime
import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bertline.core.errors import BertlineError
from bertline.sources import certificates
from tests.command import PROJECT
from tests.loopback import Loopback
from tests.sources import test_hub, test_wheels

VARIABLES = (*certificates.BUNDLES, certificates.FOLDER, certificates.PIP)

# Asks each kind of source for one file, and prints what came of it.
CLIENT = """
import sys
from pathlib import Path
from bertline.core.errors import BertlineError
from bertline.sources import fetch, hub, wheels

url, revision, digest = sys.argv[1:]
asked = {
    "url": lambda: fetch.fetch(url + "/a.zip", Path("a.zip"), label="a.zip"),
    "hub": lambda: hub.download("owner/tiny", revision, {"config.json": digest}, Path("hub")),
    "wheel": lambda: wheels.download("tiny-data==1.0", Path("wheel").absolute()),
}
for kind, get in asked.items():
    try:
        get()
        print(f"{kind}: fetched")
    except BertlineError as error:
        print(f"{kind}: {' '.join(str(error).split())}")
"""


def issue(folder: Path) -> tuple[Path, Path]:
    """Write an authority's certificate, and a key with a certificate of it for 127.0.0.1."""
    now = datetime.datetime.now(datetime.UTC)
    authority, key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "The company")])

    def sign(public: ec.EllipticCurvePublicKey, subject: x509.Name, *, ca: bool) -> bytes:
        return (
            x509.CertificateBuilder(name, subject, public, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(authority, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )

    ca, server = folder / "company.pem", folder / "server.pem"
    ca.write_bytes(sign(authority.public_key(), name, ca=True))
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    server.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + sign(key.public_key(), own, ca=False)
    )
    return ca, server


@pytest.fixture
def company(tmp_path):
    """Yield a function that runs CLIENT with variables set, and the authority's certificate."""
    ca, certificate = issue(tmp_path)
    wheel = test_wheels.build(tmp_path / "wheels", [("tiny/a.tab", b"text\n")])
    with Loopback(certificate) as server:
        hub = test_hub.Hub(server, tmp_path)
        server.files["/a.zip"] = b"zip"
        listing = f'<!DOCTYPE html><a href="/{wheel.name}">{wheel.name}</a>'
        server.files["/simple/tiny-data/"] = listing.encode()
        server.headers["/simple/tiny-data/"] = {"Content-Type": "text/html"}
        server.files[f"/{wheel.name}"] = wheel.read_bytes()

        def run(**variables: object) -> list[str]:
            left = ("PIP_", "HF_", "SSL_", "REQUESTS_", "CURL_")
            kept = {name: text for name, text in os.environ.items() if not name.startswith(left)}
            own = {
                "PYTHONPATH": PROJECT,
                "HF_ENDPOINT": server.url,
                "HF_HOME": tmp_path / "hf",
                "NO_PROXY": "127.0.0.1",
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": f"{server.url}/simple",
                "PIP_RETRIES": 0,
            }
            done = subprocess.run(
                [sys.executable, "-c", CLIENT, server.url, test_hub.REVISION]
                + [hub.hashes["config.json"]],
                cwd=tmp_path,
                env=kept | {name: str(value) for name, value in (own | variables).items()},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()

        yield run, ca


@pytest.mark.slow
@pytest.mark.parametrize("variable", [*certificates.BUNDLES, certificates.PIP])
def test_any_of_the_usual_variables_serves_all_sources(company, variable):
    run, ca = company
    assert run(**{variable: ca}) == ["url: fetched", "hub: fetched", "wheel: fetched"]


@pytest.mark.slow
def test_each_source_names_the_variable_for_a_certificate_that_is_not_trusted(company):
    run, _ = company
    lines = run()
    assert len(lines) == 3
    for line in lines:
        assert "has a certificate that" in line and "not trust" in line
        assert "let SSL_CERT_FILE or REQUESTS_CA_BUNDLE name the file" in line
        assert "docs/sharing.md" in line


@pytest.mark.slow
def test_folder_of_certificates_serves_all_sources(company, tmp_path):
    run, ca = company
    folder = tmp_path / "trusted"
    folder.mkdir()
    asked = ["openssl", "x509", "-hash", "-noout", "-in", str(ca)]
    name = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    (folder / f"{name}.0").write_bytes(ca.read_bytes())
    assert run(SSL_CERT_DIR=folder) == ["url: fetched", "hub: fetched", "wheel: fetched"]


@pytest.mark.parametrize("variable", VARIABLES)
def test_variable_that_names_no_certificates_is_refused_by_name(monkeypatch, tmp_path, variable):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv(variable, str(tmp_path / "gone.pem"))
    with pytest.raises(BertlineError, match=rf"{variable} should name .*gone\.pem\. Correct"):
        certificates.share()
    (tmp_path / "gone.pem").write_text("<html>")
    with pytest.raises(BertlineError, match=rf"{variable} names .* no certificates in PEM"):
        certificates.share()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"PIP_CERT": "a"}, {"SSL_CERT_FILE": "a", "REQUESTS_CA_BUNDLE": "a"}),
        ({"SSL_CERT_FILE": "a"}, {"REQUESTS_CA_BUNDLE": "a"}),
        ({"SSL_CERT_FILE": "a", "CURL_CA_BUNDLE": "b"}, {}),
        ({"SSL_CERT_DIR": "."}, {"REQUESTS_CA_BUNDLE": "."}),
        ({"REQUESTS_CA_BUNDLE": "."}, {"SSL_CERT_DIR": "."}),
        ({"REQUESTS_CA_BUNDLE": "a", "SSL_CERT_FILE": "b"}, {}),
    ],
)
def test_library_with_a_variable_of_its_own_keeps_it(monkeypatch, tmp_path, named, expected):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        issue(tmp_path)[0].rename(name)
    for name in VARIABLES:
        monkeypatch.setenv(name, named.get(name, ""))
    certificates.share()
    assert {name: os.environ[name] for name in VARIABLES if os.environ[name]} == named | expected
