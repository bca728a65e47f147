"""A gateway with a certificate: kernels, servers and pages by https, and nothing by http."""

from __future__ import annotations

import datetime as dt
import ipaddress

import pytest
import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from jupyter_gov.errors import GatewayUnreachable
from tests.conftest import populate
from tests.support.gateway import running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Certificate and key for this machine, of an authority of its own."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a gateway under test")])
    now = dt.datetime.now(dt.UTC)
    hosts = [
        x509.DNSName("gov.localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    ]  # fmt: skip
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(signed.public_bytes(Encoding.PEM))
    secret.touch(mode=0o600)
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


@pytest.fixture
def site(make_site, certificate, monkeypatch):
    """A gateway with that certificate, which this process trusts."""
    chain, secret = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    gateway = make_site(f"c.GovGateway.certfile = '{chain}'\nc.GovGateway.keyfile = '{secret}'\n")
    gateway.scheme = "https"
    with running(gateway):
        yield populate(gateway)


class TestTls:
    def test_everything_goes_through_it(self, site):
        """Slots, enrolment, the person's page, the stream."""
        kernel = site.analyst()
        assert kernel.whoami().page_url.startswith("https://gov.localhost:")
        assert len(kernel.connect("clinic").query("SELECT mrn FROM patients")) == 500

    def test_nothing_goes_past_it(self, site):
        """The same port does not speak plainly."""
        http = urllib3.PoolManager(retries=False, timeout=5)
        with pytest.raises(urllib3.exceptions.HTTPError):
            http.request("GET", f"http://127.0.0.1:{site.gateway.port}/api/v1/health")

    def test_a_certificate_nobody_vouches_for_is_refused(self, site, monkeypatch):
        """A kernel that does not trust the authority sends nothing."""
        kernel = site.analyst()
        monkeypatch.delenv("SSL_CERT_FILE")
        kernel.http._pool.clear()
        with pytest.raises(GatewayUnreachable, match="SSLError"):
            kernel.whoami()
