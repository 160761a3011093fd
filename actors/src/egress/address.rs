//! Which addresses tenants may not reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{Ipv4Net, Ipv6Net};

/// IPv4 blocks that are not somebody else's public address, with the word for each (IANA IPv4 Special-Purpose Address
/// Registry, RFC 6890; multicast RFC 5771).
const V4: [(Ipv4Net, &str); 17] = [
    (v4([0, 0, 0, 0], 8), "this_network"),
    (v4([10, 0, 0, 0], 8), "private"),
    (v4([100, 64, 0, 0], 10), "carrier_grade_nat"),
    (v4([127, 0, 0, 0], 8), "loopback"),
    (v4([169, 254, 0, 0], 16), "link_local"),
    (v4([172, 16, 0, 0], 12), "private"),
    (v4([192, 0, 0, 0], 24), "protocol_assignment"),
    (v4([192, 0, 2, 0], 24), "documentation"),
    (v4([192, 31, 196, 0], 24), "protocol_assignment"),
    (v4([192, 52, 193, 0], 24), "protocol_assignment"),
    (v4([192, 88, 99, 0], 24), "translation"),
    (v4([192, 168, 0, 0], 16), "private"),
    (v4([198, 18, 0, 0], 15), "benchmarking"),
    (v4([198, 51, 100, 0], 24), "documentation"),
    (v4([203, 0, 113, 0], 24), "documentation"),
    (v4([224, 0, 0, 0], 4), "multicast"),
    (v4([240, 0, 0, 0], 4), "reserved"),
];

/// IPv6 blocks inside global unicast (`2000::/3`) that are nobody's public address (IANA IPv6 Special-Purpose Address
/// Registry). Everything outside `2000::/3` is refused as well, but for NAT64's well-known prefix.
const V6: [(Ipv6Net, &str); 5] = [
    (v6([0x2001, 0, 0, 0], 32), "teredo"),
    (v6([0x2001, 0xdb8, 0, 0], 32), "documentation"),
    (v6([0x2001, 0, 0, 0], 23), "protocol_assignment"),
    (v6([0x2002, 0, 0, 0], 16), "six_to_four"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation"),
];

/// NAT64's well-known prefix (RFC 6052): the last 32 bits are the IPv4 address that is really reached.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);

/// All global unicast addresses there are (RFC 4291, section 2.4, as allocated).
const GLOBAL: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), prefix)
}

const fn v6(head: [u16; 4], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], head[3], 0, 0, 0, 0), prefix)
}

/// Why this address is special, in one `snake_case` word, or none where it is an ordinary public one. An IPv6 address that
/// carries an IPv4 one (mapped, NAT64, ISATAP) is judged by what it carries; 6to4 and Teredo are refused altogether.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, word)| *word)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    let last = Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    if NAT64.contains(&address) {
        return special_v4(last);
    }
    if !GLOBAL.contains(&address) {
        return Some(outside_global(address));
    }
    let isatap = segments[4] & !0x0200 == 0 && segments[5] == 0x5efe;
    V6.iter()
        .find(|(net, _)| net.contains(&address))
        .map(|(_, word)| *word)
        .or_else(|| if isatap { special_v4(last) } else { None })
}

fn outside_global(address: Ipv6Addr) -> &'static str {
    if address.is_loopback() {
        "loopback"
    } else if address.is_unspecified() {
        "this_network"
    } else if address.is_multicast() {
        "multicast"
    } else if address.is_unique_local() {
        "private"
    } else if address.is_unicast_link_local() {
        "link_local"
    } else {
        "reserved"
    }
}

/// Knows the machine's own addresses without a list of them: a socket can be bound only to an address of one's own.
/// It asks the kernel anew each time, for interfaces come and go.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnAddresses {
    usable: bool,
}

impl OwnAddresses {
    /// Tries the kernel with a documentation address: where even that can be bound (`ip_nonlocal_bind`), binding says
    /// nothing about ownership, and only addresses that are special anyway are refused.
    pub(super) fn probe() -> Self {
        let usable = !bindable(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
        if !usable {
            tracing::warn!(
                "ip_nonlocal_bind is on: the egress guard cannot tell the machine's public addresses"
            );
        }
        Self { usable }
    }

    pub(super) fn contain(self, address: IpAddr) -> bool {
        self.usable && bindable(address.to_canonical())
    }
}

fn bindable(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(address: &str) -> Option<&'static str> {
        special(address.parse().expect("an address"))
    }

    #[test]
    fn ordinary_public_addresses_pass() {
        let v4 = "1.1.1.1 93.184.216.34 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 169.253.255.255 \
                  198.17.255.255 198.20.0.0 223.255.255.255";
        let v6 = "2606:4700::1111 2a00:1450:4001::200e ::ffff:8.8.8.8 64:ff9b::808:808 2001:200::1";
        for address in v4.split_whitespace().chain(v6.split_whitespace()) {
            assert_eq!(word(address), None, "{address}");
        }
    }

    #[test]
    fn special_addresses_are_told_by_kind() {
        for (kind, addresses) in [
            ("this_network", "0.0.0.0 0.1.2.3 ::"),
            ("private", "10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12:3456::1"),
            ("private", "2606:4700::5efe:10.0.0.1"),
            ("carrier_grade_nat", "100.64.0.1 100.127.255.255"),
            ("loopback", "127.255.255.254 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1"),
            ("link_local", "169.254.169.254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe fe80::1"),
            ("protocol_assignment", "192.0.0.170 2001:2::1"),
            ("benchmarking", "198.19.255.255"),
            ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
            (
                "reserved",
                "255.255.255.255 ::7f00:1 ::ffff:0:127.0.0.1 64:ff9b:1::7f00:1 fec0::1 100::1 5f00::1",
            ),
            ("documentation", "192.0.2.1 2001:db8::1 3fff::1"),
            ("teredo", "2001:0:7f00:1::"),
            ("six_to_four", "2002:7f00:1::"),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(word(address), Some(kind), "{address}");
            }
        }
    }

    #[test]
    fn own_addresses_are_recognised() {
        let own = OwnAddresses::probe();
        assert!(own.contain(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(!own.contain(IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8))));
    }
}
