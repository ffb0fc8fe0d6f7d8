"""Names, canonical values, ages, JSONPath, certificates: the small pure parts."""

import ssl
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pawl.api import quantity
from pawl.local.api import names
from pawl.local.api.http import tls
from pawl.local.api.kinds import canonical
from pawl.local.api.tables import durations, jsonpath


@pytest.mark.parametrize(
    ("rule", "text", "said"),
    [
        pytest.param(names.dns_subdomain, "a.b-c", "", id="subdomain"),
        pytest.param(names.dns_subdomain, "A_b", "a lowercase RFC 1123 subdomain must", id="upper"),
        pytest.param(names.dns_subdomain, "a" * 254, "be no more than 253 characters", id="long"),
        pytest.param(names.dns_label, "a.b", "must not contain dots", id="dots"),
        pytest.param(names.dns1035_label, "1a", "a DNS-1035 label must consist", id="digit-first"),
        pytest.param(names.qualified_name, "example.com/My_name", "", id="qualified"),
        pytest.param(names.qualified_name, "/x", "prefix part must be non-empty", id="no-prefix"),
        pytest.param(names.qualified_name, "a/", "name part must be non-empty", id="no-name"),
        pytest.param(names.label_value, "", "", id="empty-value"),
        pytest.param(names.label_value, "-x", "a valid label must be an empty string", id="dash"),
        pytest.param(names.config_key, "..", "must not be '..'", id="dotdot"),
        pytest.param(names.config_key, "a/b", "a valid config key must consist", id="slash"),
        pytest.param(names.env_name, "a=b", "a valid environment variable name", id="env"),
        pytest.param(names.port_name, "UPPER", "must contain only alpha-numeric", id="port"),
    ],
)
def test_names_are_judged_in_the_words_of_kubernetes(rule, text, said):
    found = rule(text)
    assert bool(found) == bool(said)
    if said:
        assert said in found[0]


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("1000m", "1"), ("0.5", "500m"), (1, "1"), ("1.5Gi", "1536Mi"), ("1024Mi", "1Gi"),
        ("2000Mi", "2000Mi"), ("0", "0"), ("1e3", "1e3"), ("1500", "1500"), ("2000k", "2M"),
        ("1023Ki", "1023Ki"), ("abc", "abc"), ("100u", "100u"),
    ],
)  # fmt: skip
def test_quantities_have_one_form(given_text, expected):
    assert canonical.quantity(given_text) == expected


@given(st.integers(0, 10**9), st.sampled_from(["", "m", "k", "Ki", "Mi", "Gi", "M"]))
def test_the_canonical_form_is_the_same_amount_and_stays(number, suffix):
    text = f"{number}{suffix}"
    once = canonical.quantity(text)
    assert quantity.parse(once) == quantity.parse(text)
    assert canonical.quantity(once) == once


def test_times_become_utc_and_empty_maps_go():
    time, micro = {"x-go-type": "v1.Time"}, {"x-go-type": "v1.MicroTime"}
    schema = {
        "properties": {
            "at": time,
            "exact": micro,
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "struct": {"type": "object", "properties": {"x": {}}},
        }
    }
    obj = {
        "at": "2026-01-02T03:04:05.6+02:00",
        "exact": "2026-01-02T03:04:05.123456+00:00",
        "labels": {},
        "struct": {},
    }
    assert canonical.normalize(obj, schema) == {
        "at": "2026-01-02T01:04:05Z",
        "exact": "2026-01-02T03:04:05.123456Z",
        "struct": {},
    }


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=0), "0s"), (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"), (timedelta(minutes=2, seconds=5), "2m5s"),
        (timedelta(minutes=10, seconds=5), "10m"), (timedelta(hours=3), "3h"),
        (timedelta(hours=3, minutes=20), "3h20m"), (timedelta(hours=9, minutes=20), "9h"),
        (timedelta(days=2), "2d"), (timedelta(days=3, hours=4), "3d4h"),
        (timedelta(days=9, hours=4), "9d"), (timedelta(days=731), "2y1d"),
        (timedelta(days=365 * 9), "9y"), (timedelta(seconds=-5), "<invalid>"),
    ],
)  # fmt: skip
def test_ages_read_as_kubectl_shows_them(age, text):
    assert durations.human(age.total_seconds()) == text


OBJECT = {
    "metadata": {"annotations": {"example.com/a.b": "x"}},
    "spec": {"list": [1, 2, 3]},
    "status": {"conditions": [{"type": "A", "n": 1}, {"type": "Ready", "status": "True", "n": 2}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.list[0]", [1]), (".spec.list[-1]", [3]), (".spec.list[*]", [1, 2, 3]),
        (".spec.list[1:]", [2, 3]), ("{.spec.list[0]}", [1]), (".spec.none.deeper", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.n>1)].type", ["Ready"]),
        (".status.conditions[?(@.status)].type", ["Ready"]),
        (r".metadata.annotations.example\.com/a\.b", ["x"]),
        (".metadata.annotations['example.com/a.b']", ["x"]), ("..type", ["A", "Ready"]),
    ],
)  # fmt: skip
def test_json_paths_of_printer_columns(path, found):
    assert jsonpath.find(path, OBJECT) == found


def test_a_path_that_is_none_is_refused():
    with pytest.raises(jsonpath.PathError):
        jsonpath.find(".spec[?(", OBJECT)


def test_openssl_accepts_the_certificate_and_its_key(tmp_path):
    made = tls.self_signed(["127.0.0.1", "localhost"])
    both = tmp_path / "both.pem"
    both.write_bytes(made.key + made.certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(both)
    client = ssl.create_default_context(cadata=made.certificate.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    peers = [
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(peers)
    for _ in range(10):
        for peer in list(waiting):
            try:
                peer.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(peer)
    assert not waiting
    names_found = {name for _, name in peers[0].getpeercert()["subjectAltName"]}
    assert names_found == {"127.0.0.1", "localhost"}
