"""Kubernetes' own CEL types: quantities, URLs, IP addresses, CIDRs and named formats."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from pawl.local.schema import formats
from pawl.local.schema.cel.functions import declare, overload
from pawl.local.schema.cel.problems import EvaluationError
from pawl.local.schema.cel.values import NONE, Optional, Quantity, parse_quantity

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def _is(parse: Callable[[str], Any]) -> Callable[[str], bool]:
    """Does it parse?"""

    def test(text: str) -> bool:
        try:
            parse(text)
        except EvaluationError:
            return False
        return True

    return test


declare("quantity(string) -> quantity", parse_quantity)
declare("isQuantity(string) -> bool", _is(parse_quantity))


def _is_integer(value: Quantity) -> bool:
    return value.amount.denominator == 1 and -(2**63) <= value.amount < 2**63


@overload("quantity.asInteger() -> int")
def _as_integer(value: Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.amount)


def _as_float(value: Quantity) -> float:
    try:
        return float(value.amount)
    except OverflowError:
        return math.copysign(math.inf, value.amount)


declare("quantity.isInteger() -> bool", _is_integer)
declare("quantity.asApproximateFloat() -> double", _as_float)
declare("quantity.sign() -> int", lambda value: (value.amount > 0) - (value.amount < 0))
declare("quantity.isGreaterThan(quantity) -> bool", lambda a, b: a.amount > b.amount)
declare("quantity.isLessThan(quantity) -> bool", lambda a, b: a.amount < b.amount)
declare("quantity.compareTo(quantity) -> int",
        lambda a, b: (a.amount > b.amount) - (a.amount < b.amount))  # fmt: skip
declare("quantity.add(quantity) -> quantity", lambda a, b: Quantity(a.amount + b.amount))
declare("quantity.add(int) -> quantity", lambda a, b: Quantity(a.amount + int(b)))
declare("quantity.sub(quantity) -> quantity", lambda a, b: Quantity(a.amount - b.amount))
declare("quantity.sub(int) -> quantity", lambda a, b: Quantity(a.amount - int(b)))


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute URI or an absolute path."""

    parts: SplitResult
    cel_type = "kubernetes.URL"


def _parse_url(text: str) -> Url:
    bad = EvaluationError(f"URL parse error during conversion from string: parse \"{text}\": "
                          "invalid URI for request")  # fmt: skip
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise bad from None
    if not (parts.scheme or text.startswith("/")) or re.search(r"[\x00-\x1f\x7f]", text):
        raise bad
    if parts.scheme and not parts.netloc and not parts.path.startswith("/"):
        raise bad
    return Url(parts)


def _host(url: Url) -> str:
    return url.parts.netloc.rpartition("@")[2]


declare("url(string) -> url", _parse_url)
declare("isURL(string) -> bool", _is(_parse_url))
declare("url.getScheme() -> string", lambda url: url.parts.scheme)
declare("url.getHost() -> string", _host)
declare("url.getHostname() -> string", lambda url: url.parts.hostname or "")
declare("url.getPort() -> string", lambda url: str(url.parts.port or ""))
declare(
    "url.getEscapedPath() -> string", lambda url: quote(url.parts.path, safe="/%:@&=+$,;~!*'()")
)
declare("url.getQuery() -> map(string,list(string))",
        lambda url: parse_qs(url.parts.query, keep_blank_values=True))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ip:
    address: Address
    cel_type = "net.IP"


@dataclass(frozen=True, slots=True)
class Cidr:
    network: Network
    cel_type = "net.CIDR"


def _parse_ip(text: str) -> Ip:
    try:
        if "%" in text:
            raise ValueError(f"IP address {text} with zone value is not allowed")
        address = ipaddress.ip_address(text)
    except ValueError:
        raise EvaluationError(
            f"IP Address '{text}' parse error during conversion from string: "
            f'ParseAddr("{text}"): unable to parse IP'
        ) from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        raise EvaluationError(f"IPv4-mapped IPv6 address {text} is not allowed")
    return Ip(address)


def _parse_cidr(text: str) -> Cidr:
    try:
        if not re.fullmatch(r"[^/]+/\d+", text):
            raise ValueError(text)
        return Cidr(ipaddress.ip_interface(text))
    except ValueError:
        raise EvaluationError(
            f"network address parse error during conversion from string: "
            f"netip.ParsePrefix(\"{text}\"): no '/'"
        ) from None


def _contains_cidr(outer: Cidr, inner: Cidr) -> bool:
    a, b = outer.network.network, inner.network.network
    if isinstance(a, ipaddress.IPv4Network) and isinstance(b, ipaddress.IPv4Network):
        return b.subnet_of(a)
    if isinstance(a, ipaddress.IPv6Network) and isinstance(b, ipaddress.IPv6Network):
        return b.subnet_of(a)
    return False


declare("ip(string) -> ip", _parse_ip)
declare("isIP(string) -> bool", _is(_parse_ip))
declare("ip:isCanonical(string) -> bool", lambda text: str(_parse_ip(text).address) == text)
declare("ip.family() -> int", lambda ip: ip.address.version)
declare("ip.isUnspecified() -> bool", lambda ip: ip.address.is_unspecified)
declare("ip.isLoopback() -> bool", lambda ip: ip.address.is_loopback)
declare("ip.isLinkLocalUnicast() -> bool", lambda ip: ip.address.is_link_local)
declare("string(ip) -> string", lambda ip: str(ip.address))


@overload("ip.isLinkLocalMulticast() -> bool")
def _is_link_local_multicast(ip: Ip) -> bool:
    networks = ("224.0.0.0/24", "ff02::/16")
    return any(ip.address in ipaddress.ip_network(network) for network in networks)


@overload("ip.isGlobalUnicast() -> bool")
def _is_global_unicast(ip: Ip) -> bool:
    address = ip.address
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )


declare("cidr(string) -> cidr", _parse_cidr)
declare("isCIDR(string) -> bool", _is(_parse_cidr))
declare("cidr.ip() -> ip", lambda cidr: Ip(cidr.network.ip))
declare("cidr.prefixLength() -> int", lambda cidr: cidr.network.network.prefixlen)
declare("cidr.masked() -> cidr",
        lambda cidr: Cidr(ipaddress.ip_interface(str(cidr.network.network))))  # fmt: skip
declare("cidr.containsIP(ip) -> bool", lambda cidr, ip: ip.address in cidr.network.network)
declare("cidr.containsIP(string) -> bool",
        lambda cidr, text: _parse_ip(text).address in cidr.network.network)  # fmt: skip
declare("cidr.containsCIDR(cidr) -> bool", _contains_cidr)
declare("cidr.containsCIDR(string) -> bool",
        lambda cidr, text: _contains_cidr(cidr, _parse_cidr(text)))  # fmt: skip
declare("string(cidr) -> string", lambda cidr: str(cidr.network))


@dataclass(frozen=True, slots=True)
class NamedFormat:
    name: str
    cel_type = "kubernetes.NamedFormat"


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL35 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_WORD = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_NAME_RULES: dict[str, tuple[str, float, str]] = {
    "dns1123Label": (_LABEL, 63, "a lowercase RFC 1123 label must consist of lower case "
        "alphanumeric characters or '-', and must start and end with an alphanumeric character"),
    "dns1123Subdomain": (rf"{_LABEL}(\.{_LABEL})*", 253, "a lowercase RFC 1123 subdomain must "
        "consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
        "an alphanumeric character"),
    "dns1035Label": (_LABEL35, 63, "a DNS-1035 label must consist of lower case alphanumeric "
        "characters or '-', start with an alphabetic character, and end with an alphanumeric "
        "character"),
    "qualifiedName": (rf"({_LABEL}(\.{_LABEL})*/)?{_WORD}", 317, "name part must consist of "
        "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        "character"),
    "labelValue": (f"({_WORD})?", 63, "a valid label must be an empty string or consist of "
        "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        "character"),
}  # fmt: skip
for _prefix in ("dns1123Label", "dns1123Subdomain", "dns1035Label"):
    _rule, _limit, _text = _NAME_RULES[_prefix]
    _NAME_RULES[f"{_prefix}Prefix"] = (f"{_rule}-?", _limit, _text)
for _simple in ("uri", "uuid", "byte", "date", "datetime"):
    _NAME_RULES[_simple] = ("", math.inf, f"must be a valid {_simple}")


@overload("format.validate(string) -> optional(list(string))")
def _validate(kind: NamedFormat, text: str) -> Optional:
    pattern, limit, message = _NAME_RULES[kind.name]
    fits = re.fullmatch(pattern, text) if pattern else formats.matches(kind.name, text)
    problems = [] if fits else [message]
    if len(text) > limit:
        problems.append(f"must be no more than {limit} characters")
    return Optional(True, problems) if problems else NONE


@overload("format:named(string) -> optional(format)")
def _named(name: str) -> Optional:
    return Optional(True, NamedFormat(name)) if name in _NAME_RULES else NONE


def _declare_format(name: str) -> None:
    declare(f"format:{name}() -> format", lambda: NamedFormat(name))


for _format_name in _NAME_RULES:
    _declare_format(_format_name)
