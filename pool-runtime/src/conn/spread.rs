//! Which addresses the connections of one pool are on, so that the next one goes elsewhere.
//!
//! A use is counted from the moment a dial decides where to go, not from when the connection is up: ten
//! dials that start together would otherwise all find every address unused and meet at the same one.
//!
//! Failures are deliberately not remembered. An address that is down has no uses, so it is tried first
//! and costs each dial 250 ms at most (see [`happy_eyeballs`](super::happy_eyeballs)); a memory of it would
//! need an expiry, and until then would keep all connections off a server that has just restarted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of uses of each address that is in use at all.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread(Arc<Mutex<HashMap<SocketAddr, usize>>>);

impl Spread {
    /// Puts addresses into an order by their uses and claims the one that comes first, as one step:
    /// between the two no other dial sees the same uses.
    ///
    /// Gives the order and the claim, or `None` where `order` gives no address.
    pub(super) fn claim(
        &self,
        order: impl FnOnce(&dyn Fn(&SocketAddr) -> usize) -> Vec<SocketAddr>,
    ) -> Option<(Vec<SocketAddr>, Claim)> {
        let mut uses = self.uses();
        let ordered = order(&|address| uses.get(address).copied().unwrap_or(0));
        let first = *ordered.first()?;
        *uses.entry(first).or_default() += 1;
        let claim = Claim {
            spread: self.clone(),
            address: first,
        };
        Some((ordered, claim))
    }

    fn uses(&self) -> MutexGuard<'_, HashMap<SocketAddr, usize>> {
        // What runs under the lock is this file and the ordering, which do not panic; and a count that is
        // off by one makes the spread less even, no more.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One use of an address: held by the dial and then by the connection, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    spread: Spread,
    address: SocketAddr,
}

impl Claim {
    /// Moves the use to the address that took the connection in the end.
    pub(super) fn move_to(&mut self, address: SocketAddr) {
        let mut uses = self.spread.uses();
        release(&mut uses, self.address);
        *uses.entry(address).or_default() += 1;
        self.address = address;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        release(&mut self.spread.uses(), self.address);
    }
}

/// Takes one use back. An address without uses is forgotten: a service that moves about for years must
/// not leave a trail here.
fn release(uses: &mut HashMap<SocketAddr, usize>, address: SocketAddr) {
    if let Some(count) = uses.get_mut(&address) {
        *count -= 1;
        if *count == 0 {
            uses.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Vec<SocketAddr> {
        (1..=3).map(|host| ([192, 0, 2, host], 80).into()).collect()
    }

    fn claim(spread: &Spread) -> Claim {
        let (_, claim) = spread
            .claim(|load| crate::conn::resolve::order(addresses(), load, |_| ()))
            .unwrap();
        claim
    }

    #[test]
    fn claims_go_round_the_addresses_before_any_connection_is_up() {
        let spread = Spread::default();
        let claims: Vec<_> = (0..6).map(|_| claim(&spread)).collect();
        for address in addresses() {
            let uses = claims.iter().filter(|claim| claim.address == address);
            assert_eq!(uses.count(), 2, "{address}");
        }
    }

    #[test]
    fn a_dropped_claim_frees_its_address_and_leaves_nothing_behind() {
        let spread = Spread::default();
        let (first, second) = (claim(&spread), claim(&spread));
        let freed = first.address;
        drop(first);
        let third = claim(&spread);
        assert_eq!(third.address, freed);
        drop((second, third));
        assert!(spread.uses().is_empty());
    }

    #[test]
    fn a_claim_follows_the_connection_to_another_address() {
        let spread = Spread::default();
        let mut moved = claim(&spread);
        moved.move_to(addresses()[2]);
        assert_eq!(claim(&spread).address, addresses()[0]);
        assert_eq!(*spread.uses(), HashMap::from([(addresses()[2], 1)]));
    }

    #[test]
    fn without_an_address_there_is_nothing_to_claim() {
        let spread = Spread::default();
        assert!(spread.claim(|_| Vec::new()).is_none());
        assert!(spread.uses().is_empty());
    }
}
