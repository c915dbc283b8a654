//! The connections on which earlier attempts of a call failed.
//!
//! A replay, a retry or a hedge goes to another address if one has a free stream, else to another connection, and only
//! then to one that failed it before.

use std::net::SocketAddr;

use super::core::ConnectionId;

/// How many failures a call remembers; the oldest are forgotten first. gRFC A6 allows 5 attempts and one transparent
/// retry, and requests that were never sent are seldom repeated more than twice.
const MOST: usize = 8;

/// Where a call failed. Empty for its first attempt, which then costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Avoid(Vec<Place>);

type Place = (ConnectionId, Option<SocketAddr>);

/// How much a call would rather go elsewhere; smaller is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Objection {
    /// The call has not failed there.
    #[default]
    None,
    /// It failed on another connection to the same address.
    SameAddress,
    /// It failed on this connection.
    SameConnection,
}

impl Avoid {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remembers that the call failed on `connection` to `peer`.
    pub(crate) fn add(&mut self, connection: ConnectionId, peer: Option<SocketAddr>) {
        if self.0.iter().any(|&(known, _)| known == connection) {
            return;
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push((connection, peer));
    }

    /// The objection to sending the call to `connection`. Transports without an address count as different places.
    pub(crate) fn objection(&self, connection: ConnectionId, peer: Option<SocketAddr>) -> Objection {
        let one = |&(failed, address): &Place| {
            if failed == connection {
                Objection::SameConnection
            } else if peer.is_some() && address == peer {
                Objection::SameAddress
            } else {
                Objection::None
            }
        };
        self.0.iter().map(one).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: u8) -> Option<SocketAddr> {
        Some(([127, 0, 0, host], 80).into())
    }

    #[test]
    fn connections_weigh_more_than_addresses() {
        let mut avoid = Avoid::default();
        avoid.add(1, address(1));
        avoid.add(2, None);
        let rows = [
            (1, address(1), Objection::SameConnection),
            (2, None, Objection::SameConnection),
            (3, address(1), Objection::SameAddress),
            (3, address(2), Objection::None),
            (4, None, Objection::None),
        ];
        for (connection, peer, expected) in rows {
            assert_eq!(avoid.objection(connection, peer), expected, "{connection} at {peer:?}");
        }
        assert_eq!(Avoid::default().objection(1, address(1)), Objection::None);
    }

    #[test]
    fn the_oldest_failures_are_forgotten() {
        let mut avoid = Avoid::default();
        for connection in 0..=MOST as u64 {
            avoid.add(connection, None);
            avoid.add(connection, None);
        }
        assert_eq!(avoid.objection(0, None), Objection::None);
        assert_eq!(avoid.objection(1, None), Objection::SameConnection);
    }
}
