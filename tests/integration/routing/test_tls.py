"""TLS with the certificate of a Secret, and its renewal."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import warnings

from client import Client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from town import Town, eventually, route

from pawl.core.routing import envoy

ROUTE = route({7: 100}, tls=True)


def certificate(name: str) -> dict[str, str]:
    """Self-signed, as the two files of a kubernetes.io/tls Secret."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {"tls.crt": made.public_bytes(pem).decode(), "tls.key": private.decode()}


def context(**options: object) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    for name, value in options.items():
        setattr(made, name, value)
    return made


async def shown(town: Town) -> str:
    """The certificate that a new connection gets."""
    _, writer = await asyncio.open_connection(town.address, 8080, ssl=context())
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return ssl.DER_cert_to_PEM_cert(found)


def same(one: str, other: str) -> bool:
    return x509.load_pem_x509_certificate(one.encode()) == x509.load_pem_x509_certificate(
        other.encode()
    )


async def test_requests_come_by_tls_and_only_by_tls(town: Town):
    await town.pod(7)
    await town.start(ROUTE, tls=certificate("one"))
    client = Client(town.address, tls=context())
    assert (await client.ask()).status == 200
    assert (await town.client.ask()).status == 0
    await client.close()


async def test_an_old_tls_is_refused(town: Town):
    await town.pod(7)
    await town.start(ROUTE, tls=certificate("one"))
    with warnings.catch_warnings(action="ignore"):  # that it is old
        old = context(maximum_version=ssl.TLSVersion.TLSv1_1)
    client = Client(town.address, tls=old)
    assert (await client.ask()).status == 0


async def test_a_renewed_certificate_is_taken_up_without_an_error(town: Town):
    """New connections get it; those that are there go on."""
    await town.pod(7)
    first, second = certificate("one"), certificate("two")
    router = await town.start(ROUTE, tls=first)
    assert same(await shown(town), first["tls.crt"])
    client = Client(town.address, tls=context())

    async def renew() -> None:
        router.swap(router.tls, second)

        async def taken() -> bool:
            return same(await shown(town), second["tls.crt"])

        await eventually(taken)

    answers = await client.beside(renew())
    assert {answer.status for answer in answers} == {200}
    await client.close()


async def test_a_broken_renewal_leaves_the_old_certificate(town: Town):
    """A key that does not fit, say; the next good one is taken up."""
    await town.pod(7)
    first, second = certificate("one"), certificate("two")
    router = await town.start(ROUTE, tls=first)
    router.swap(router.tls, {"tls.crt": second["tls.crt"], "tls.key": first["tls.key"]})

    async def refused() -> bool:
        return await router.statistic("sds.server.key_rotation_failed") > 0

    await eventually(refused)
    assert same(await shown(town), first["tls.crt"])
    router.swap(router.tls, second)

    async def taken() -> bool:
        return same(await shown(town), second["tls.crt"])

    await eventually(taken)


async def test_a_router_without_a_certificate_that_it_can_use_is_not_ready(town: Town):
    """Envoy calls itself ready all the same; what the pod's probe asks is answered later."""
    await town.pod(7)
    first, second = certificate("one"), certificate("two")
    wrong = {"tls.crt": second["tls.crt"], "tls.key": first["tls.key"]}
    router = await town.start(ROUTE, tls=wrong)
    client = Client(town.address, tls=context())
    assert (await client.ask(envoy.READY, "GET")).status == 0
    router.swap(router.tls, second)

    async def ready() -> bool:
        return (await client.ask(envoy.READY, "GET")).status == 200

    await eventually(ready)
    await client.close()
