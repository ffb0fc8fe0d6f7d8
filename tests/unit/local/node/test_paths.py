import pytest

from pawl.local.node.paths import Rewriter

REWRITE = Rewriter.of(
    {"/data": "/h/data", "/data/in": "/h/in", "/tmp": "/h/data/tmp", "/etc/cfg/": "/h/cfg"},
    "127.20.64.1",
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("/data", "/h/data", id="alone"),
        pytest.param("/data/x.csv", "/h/data/x.csv", id="below"),
        pytest.param("/data/in/x", "/h/in/x", id="longest wins"),
        pytest.param("/etc/cfg", "/h/cfg", id="trailing slash of the mount"),
        pytest.param("file:///data/x", "file:///h/data/x", id="URI"),
        pytest.param("--out=/data,/tmp", "--out=/h/data,/h/data/tmp", id="flag and list"),
        pytest.param("cat /data/a > /tmp/b", "cat /h/data/a > /h/data/tmp/b", id="shell"),
        pytest.param("see /data.", "see /h/data.", id="end of a sentence"),
        pytest.param("/database", "/database", id="longer name"),
        pytest.param("/data.csv", "/data.csv", id="extension"),
        pytest.param("/data-old/x", "/data-old/x", id="hyphen"),
        pytest.param("s3://bucket/data/x", "s3://bucket/data/x", id="inside a bucket"),
        pytest.param("http://data/x", "http://data/x", id="host name"),
        pytest.param("${DIR}/data", "${DIR}/data", id="after a variable"),
        pytest.param("/var/data", "/var/data", id="inside another path"),
        pytest.param("--bind 0.0.0.0:80", "--bind 127.20.64.1:80", id="any address"),
        pytest.param("10.0.0.0/8", "10.0.0.0/8", id="network"),
    ],
)
def test_mount_paths_are_rewritten_where_they_stand_as_paths(text: str, expected: str) -> None:
    assert REWRITE(text) == expected


def test_without_mounts_only_the_address_changes() -> None:
    assert Rewriter.of({}, "127.0.0.9")("/data 0.0.0.0") == "/data 127.0.0.9"
