//! From a host name to the addresses to try, in the order to try them.
//!
//! The name is asked for anew with every dial: connections are replaced as they age, so a pool follows a
//! service that moves or scales without any other discovery. What the resolver caches is its own affair.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use super::spread::Standing;

/// How many addresses one dial tries. Behind a name with hundreds of addresses the others are left to
/// later dials; with 250 ms between attempts, more would hardly fit into a connect timeout anyway.
pub(super) const MAX_ATTEMPTS: usize = 16;

/// Asks the system for the addresses of `host`. An IP address is its own answer, without a look-up.
pub(super) async fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    if addresses.is_empty() {
        let problem = format!("the name {host} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, problem));
    }
    Ok(addresses)
}

/// Puts `addresses` into the order to try them: those that failed of late last, the least used ones first, the
/// two families interleaved (RFC 8305, section 4), at most [`MAX_ATTEMPTS`] of them.
///
/// `shuffle` decides among equals. Resolvers tend to give every client the same order, and without it
/// the first connection of each of a thousand clients would go to the same server.
///
/// The family goes first that has the least used address, and on a tie the one that the resolver
/// prefers: its order between the families reflects which of them this machine can reach (RFC 6724).
pub(super) fn order(
    addresses: Vec<SocketAddr>,
    standing: impl Fn(&SocketAddr) -> Standing,
    shuffle: impl Fn(&mut [SocketAddr]),
) -> Vec<SocketAddr> {
    let mut seen = HashSet::new();
    let (failed, mut ordered): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .filter(|address| seen.insert(*address))
        .partition(|address| standing(address).failed);
    ordered = by_family(ordered, &standing, &shuffle);
    ordered.extend(by_family(failed, &standing, &shuffle));
    ordered.truncate(MAX_ATTEMPTS);
    ordered
}

fn by_family(
    addresses: Vec<SocketAddr>,
    standing: impl Fn(&SocketAddr) -> Standing,
    shuffle: impl Fn(&mut [SocketAddr]),
) -> Vec<SocketAddr> {
    let preferred_is_ipv4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut preferred, mut other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == preferred_is_ipv4);
    for family in [&mut preferred, &mut other] {
        shuffle(family);
        family.sort_by_cached_key(&standing);
    }
    let least = |family: &[SocketAddr]| family.first().map_or(usize::MAX, |first| standing(first).uses);
    match least(&other) < least(&preferred) {
        true => interleave(other, preferred),
        false => interleave(preferred, other),
    }
}

/// One of each in turn, beginning with `first`; what one of them has left over comes at the end.
fn interleave(first: Vec<SocketAddr>, second: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut ordered = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = ordered.len();
        ordered.extend(first.next());
        ordered.extend(second.next());
        if ordered.len() == before {
            return ordered;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `4a` stands for an IPv4 address, `6a` for an IPv6 address.
    fn address(name: &str) -> SocketAddr {
        let (family, host) = name.split_at(1);
        let host = host.as_bytes()[0];
        match family {
            "4" => ([192, 0, 2, host], 80).into(),
            _ => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)], 80).into(),
        }
    }

    fn uses(uses: usize) -> Standing {
        Standing { failed: false, uses }
    }

    fn addresses(names: &str) -> Vec<SocketAddr> {
        names.split_whitespace().map(address).collect()
    }

    #[test]
    fn the_least_used_come_first_and_the_families_take_turns() {
        let rows = [
            // resolved, those in use (once per use), expected
            ("", "", ""),
            ("4a", "4a 4a", "4a"),
            ("4a 4b 4c", "", "4a 4b 4c"),
            ("4a 4b 4c", "4a", "4b 4c 4a"),
            ("4a 4b 4c", "4a 4a 4b 4c", "4b 4c 4a"),
            ("6a 6b 4a 4b", "", "6a 4a 6b 4b"),
            ("4a 4b 6a 6b", "", "4a 6a 4b 6b"),
            ("6a 6b 6c 4a", "", "6a 4a 6b 6c"),
            ("6a 4a", "6a", "4a 6a"),
            ("6a 4a", "6a 4a", "6a 4a"),
            ("6a 6b 4a 4b", "6a 4a 4b", "6b 4a 6a 4b"),
            ("6a 6b 4a 4b", "6a 6b 4a", "4b 6a 4a 6b"),
            ("4a 4a 4b 4a", "", "4a 4b"),
        ];
        for (resolved, used, expected) in rows {
            let used = addresses(used);
            let standing = |address: &SocketAddr| uses(used.iter().filter(|used| *used == address).count());
            let ordered = order(addresses(resolved), standing, |_| ());
            assert_eq!(ordered, addresses(expected), "{resolved} with {used:?} in use");
        }
    }

    #[test]
    fn failed_addresses_come_last() {
        let rows = [
            // resolved, failed, in use, expected
            ("4a 4b", "4a", "", "4b 4a"),
            ("4a 4b", "4a", "4b 4b", "4b 4a"),
            ("4a 4b", "4a 4b", "4a", "4b 4a"),
            ("4a 4b 4c", "4a 4c", "", "4b 4a 4c"),
            ("6a 6b 4a 4b", "6a 6b", "", "4a 4b 6a 6b"),
            ("6a 6b 4a 4b", "6a", "6b", "4a 6b 4b 6a"),
            ("6a 6b 4a 4b", "6a 4a", "", "6b 4b 6a 4a"),
        ];
        for (resolved, failed, used, expected) in rows {
            let (failed, used) = (addresses(failed), addresses(used));
            let standing = |address: &SocketAddr| Standing {
                failed: failed.contains(address),
                uses: used.iter().filter(|used| *used == address).count(),
            };
            let ordered = order(addresses(resolved), standing, |_| ());
            assert_eq!(ordered, addresses(expected), "{resolved} with {failed:?} failed");
        }
    }

    #[test]
    fn the_shuffle_decides_among_equals_only() {
        let used = address("4a");
        let standing = |address: &SocketAddr| uses(usize::from(*address == used));
        let ordered = order(addresses("4a 4b 4c 6a 6b"), standing, |family| family.reverse());
        assert_eq!(ordered, addresses("4c 6b 4b 6a 4a"));
    }

    #[test]
    fn no_more_addresses_are_tried_than_the_bound() {
        let many = (0..=255).map(|host| SocketAddr::from(([192, 0, 2, host], 80)));
        // The only one that is not in use is the last that the resolver names.
        let standing = |address: &SocketAddr| uses(usize::from(*address != ([192, 0, 2, 255], 80).into()));
        let ordered = order(many.collect(), standing, |_| ());
        assert_eq!(ordered.len(), MAX_ATTEMPTS);
        assert_eq!(ordered[0], ([192, 0, 2, 255], 80).into());
    }

    #[tokio::test]
    async fn an_ip_address_is_its_own_answer() {
        assert_eq!(lookup("::1", 7).await.unwrap(), ["[::1]:7".parse().unwrap()]);
    }
}
