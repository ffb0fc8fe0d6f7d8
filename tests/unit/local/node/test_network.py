from ipaddress import ip_address

from pawl.local.node import network


def test_two_clusters_never_share_an_address_range() -> None:
    one, two = network.claim(), network.claim()
    try:
        assert one.n != two.n
        assert ip_address(one.dns_ip) in one.service_cidr
        assert ip_address(one.pod_ip("u")) not in one.service_cidr
    finally:
        one.close()
        two.close()


def test_a_claim_ends_with_its_holder() -> None:
    one = network.claim()
    assert network.take(one.n) is None
    one.close()
    again = network.take(one.n)
    assert again is not None
    again.close()


def test_a_pod_keeps_its_address_and_a_free_one_is_used_late() -> None:
    net = network.claim()
    try:
        first = net.pod_ip("a")
        assert net.pod_ip("a") == first
        net.release("a")
        assert net.pod_ip("b") != first
    finally:
        net.close()
