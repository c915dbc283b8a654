//! Which addresses the connections of one pool are on, and which failed of late: the next dial goes elsewhere.
//!
//! A use is counted from the moment a dial decides where to go, not from when the connection is up: ten
//! dials that start together would otherwise all find every address unused and meet at the same one.
//!
//! A failed address has no uses, so without a memory of its failure each dial would begin with it. For as
//! long as the failure is remembered, the address comes after all others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a failure is remembered. Longer than the default connect timeout (20 s), so that two dials in a
/// row do not wait for the same silent address; shorter than the longest pause between two attempts at one
/// address in gRPC's connection backoff (120 s), so that a server that has restarted gets its share again.
pub(super) const FAILURE_MEMORY: Duration = Duration::from_secs(60);

/// The addresses that are in use or failed of late.
#[derive(Debug, Clone, Default)]
pub(super) struct Spread(Arc<Mutex<Records>>);

type Records = HashMap<SocketAddr, Record>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Record {
    uses: usize,
    failed: Option<Instant>,
}

/// How good an address is for the next dial: the least comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    /// It failed less than [`FAILURE_MEMORY`] ago.
    pub(super) failed: bool,
    pub(super) uses: usize,
}

/// An address that a dial may try.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) address: SocketAddr,
    /// The dial's use of it; the first candidate has it from the start.
    claim: Option<Claim>,
}

impl Spread {
    /// Puts addresses into an order by their standing and claims the one that comes first, as one step:
    /// between the two no other dial sees the same uses.
    pub(super) fn candidates(
        &self,
        now: Instant,
        order: impl FnOnce(&dyn Fn(&SocketAddr) -> Standing) -> Vec<SocketAddr>,
    ) -> Vec<Candidate> {
        let mut records = self.records();
        forget(&mut records, now);
        let standing = |address: &SocketAddr| {
            let record = records.get(address).copied().unwrap_or_default();
            Standing {
                failed: record.failed.is_some(),
                uses: record.uses,
            }
        };
        let ordered = order(&standing);
        let first = ordered.first().map(|first| self.claim(&mut records, *first));
        let claims = first.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let candidates = ordered.into_iter().zip(claims);
        candidates
            .map(|(address, claim)| Candidate { address, claim })
            .collect()
    }

    /// The use of a candidate that is tried now.
    pub(super) fn use_of(&self, candidate: Candidate) -> Claim {
        match candidate.claim {
            Some(claim) => claim,
            None => self.claim(&mut self.records(), candidate.address),
        }
    }

    /// Remembers that `address` failed.
    pub(super) fn failed(&self, address: SocketAddr, now: Instant) {
        let mut records = self.records();
        forget(&mut records, now);
        records.entry(address).or_default().failed = Some(now);
    }

    /// Forgets the failures of `address`: a connection to it is up.
    pub(super) fn succeeded(&self, address: SocketAddr) {
        change(&mut self.records(), address, |record| record.failed = None);
    }

    fn claim(&self, records: &mut Records, address: SocketAddr) -> Claim {
        records.entry(address).or_default().uses += 1;
        Claim {
            spread: self.clone(),
            address,
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // What runs under the lock is this file and the ordering, which do not panic; and a count that is
        // off by one only makes the spread a little less even.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One use of an address: held by the dial and then by the connection, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    spread: Spread,
    address: SocketAddr,
}

impl Drop for Claim {
    fn drop(&mut self) {
        change(&mut self.spread.records(), self.address, |record| record.uses -= 1);
    }
}

/// Changes a record. One that is then empty is removed: a service that moves about for years must not leave
/// a trail here.
fn change(records: &mut Records, address: SocketAddr, change: impl FnOnce(&mut Record)) {
    if let Some(record) = records.get_mut(&address) {
        change(record);
        if *record == Record::default() {
            records.remove(&address);
        }
    }
}

/// Forgets the failures that are too long ago.
fn forget(records: &mut Records, now: Instant) {
    records.retain(|_, record| {
        record.failed = record
            .failed
            .filter(|failed| now.saturating_duration_since(*failed) < FAILURE_MEMORY);
        *record != Record::default()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Vec<SocketAddr> {
        (1..=3).map(|host| ([192, 0, 2, host], 80).into()).collect()
    }

    /// The addresses in the order of a dial that begins at `now`.
    fn order(spread: &Spread, now: Instant) -> Vec<SocketAddr> {
        let candidates = spread.candidates(now, |standing| {
            crate::conn::resolve::order(addresses(), standing, |_| ())
        });
        candidates.iter().map(|candidate| candidate.address).collect()
    }

    fn claim(spread: &Spread) -> Claim {
        let mut candidates = spread.candidates(Instant::now(), |standing| {
            crate::conn::resolve::order(addresses(), standing, |_| ())
        });
        spread.use_of(candidates.remove(0))
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
        assert!(spread.records().is_empty());
    }

    #[test]
    fn a_later_candidate_is_used_when_it_is_tried() {
        let spread = Spread::default();
        let mut candidates = spread.candidates(Instant::now(), |_| addresses());
        let last = spread.use_of(candidates.remove(2));
        assert_eq!(spread.records().len(), 2, "the first and the one that was tried");
        drop(candidates);
        assert_eq!(claim(&spread).address, addresses()[0]);
        drop(last);
        assert!(spread.records().is_empty());
    }

    #[test]
    fn without_an_address_there_is_nothing_to_claim() {
        let spread = Spread::default();
        assert!(spread.candidates(Instant::now(), |_| Vec::new()).is_empty());
        assert!(spread.records().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn failed_addresses_come_last_for_a_while() {
        let spread = Spread::default();
        let [a, b, c] = addresses()[..] else { unreachable!() };
        // The others are in use, and still they come first.
        let uses = [claim(&spread), claim(&spread), claim(&spread)];
        drop(uses.into_iter().next());
        let began = Instant::now();
        spread.failed(a, began);
        assert_eq!(order(&spread, began), [b, c, a]);
        spread.failed(b, began + FAILURE_MEMORY / 2);
        assert_eq!(order(&spread, began + FAILURE_MEMORY / 2), [c, a, b]);

        let last = began + FAILURE_MEMORY - Duration::from_millis(1);
        assert_eq!(order(&spread, last)[0], c);
        assert_eq!(order(&spread, began + FAILURE_MEMORY), [a, c, b]);
        assert_eq!(order(&spread, began + FAILURE_MEMORY * 2), [a, b, c]);
        assert!(spread.records().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_up_forgives_its_address() {
        let spread = Spread::default();
        let [a, b, c] = addresses()[..] else { unreachable!() };
        let now = Instant::now();
        spread.failed(a, now);
        spread.failed(a, now);
        assert_eq!(order(&spread, now), [b, c, a]);
        spread.succeeded(a);
        assert_eq!(order(&spread, now), [a, b, c]);
        assert!(spread.records().is_empty());
    }
}
