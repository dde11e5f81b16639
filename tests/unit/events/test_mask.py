"""Is a masked client its network, and nothing else?"""

import pytest

from stopgap.events.mask import masked, network


@pytest.mark.parametrize(
    ("client", "shown", "around"),
    [
        ("192.0.2.77", "192.0.2.0", "192.0.2.0/24"),
        ("192.0.2.0", "192.0.2.0", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::", "2001:db8:1::/48"),
        ("::1", "::", "::/48"),
        ("::ffff:192.0.2.77", "192.0.2.0", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::", "fe80::/48"),
        ("", "", ""),
        ("unix:", "", ""),
    ],
)
def test_masked(client: str, shown: str, around: str) -> None:
    assert (masked(client), network(client)) == (shown, around)
    assert masked(shown) == shown
