"""What may be told of a client's address where clients are masked?

Its network, as the first address of it: the last byte of an IPv4 address and the last ten of an IPv6 address
are zero. That is a place, such as an office or a provider's customers, and no longer a machine.
"""

import ipaddress
from collections.abc import Mapping

BITS = {4: 24, 6: 48}
"""Version of IP -> bits that stay."""


def network(client: str, bits: Mapping[int, int] = BITS) -> str:
    """`192.0.2.0/24` of `192.0.2.77`, `2001:db8:1::/48` of `2001:db8:1:2::3`; "" of what is no address."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, bits[address.version]), strict=False))


def masked(client: str) -> str:
    """The first address of the client's network; of an address that is masked already, itself."""
    return network(client).partition("/")[0]
