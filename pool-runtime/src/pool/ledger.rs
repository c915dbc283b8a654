//! What a pool keeps of the attempts that its calls make beyond the first: how many there were, and the budget for them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use pool_call_policy::{Codes, RetryThrottling};
use tonic::Code;

use super::throttle::Throttle;

/// How much of streamed requests all calls together keep for sending them again (R10). gRPC's Java client keeps 16 MiB
/// a channel, too. A call that finds no room is made all the same, and cannot be sent again.
pub(crate) const MOST_KEPT: usize = 16 << 20;

/// Counts that nothing else depends on, beside the budget.
#[derive(Debug)]
pub(crate) struct Ledger {
    throttle: Throttle,
    kept: AtomicUsize,
    retried: AtomicU64,
    hedged: AtomicU64,
    replayed: AtomicU64,
}

/// The counts at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extra {
    pub(crate) retried: u64,
    pub(crate) hedged: u64,
    pub(crate) replayed: u64,
}

impl Ledger {
    pub(crate) fn new(throttling: RetryThrottling) -> Self {
        Self {
            throttle: Throttle::new(throttling),
            kept: AtomicUsize::new(0),
            retried: AtomicU64::new(0),
            hedged: AtomicU64::new(0),
            replayed: AtomicU64::new(0),
        }
    }

    /// Gives the budget other values.
    #[cfg(feature = "service-config")]
    pub(crate) fn set_throttling(&self, throttling: RetryThrottling) {
        self.throttle.set(throttling);
    }

    /// An attempt failed; if that counts, it takes a token. Says whether there may be another.
    pub(crate) fn failed(&self, counts: bool) -> bool {
        if counts {
            self.throttle.failed();
        }
        self.allows()
    }

    /// A call whose policy names `codes` ended with `code`, too late for another attempt.
    pub(crate) fn ended(&self, codes: Codes, code: Code) {
        if code == Code::Ok {
            self.throttle.succeeded();
        } else if codes.contains(code as i32) {
            self.throttle.failed();
        }
    }

    /// Keeps so many bytes more, if there is room for them.
    pub(crate) fn keep(&self, bytes: usize) -> bool {
        let grown = |kept: usize| kept.checked_add(bytes).filter(|&kept| kept <= MOST_KEPT);
        self.kept.fetch_update(Relaxed, Relaxed, grown).is_ok()
    }

    /// So many bytes are not kept any more.
    pub(crate) fn let_go(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Relaxed);
    }

    /// Whether there may be extra attempts.
    pub(crate) fn allows(&self) -> bool {
        self.throttle.allows()
    }

    pub(crate) fn retried(&self) {
        self.retried.fetch_add(1, Relaxed);
    }

    pub(crate) fn hedged(&self) {
        self.hedged.fetch_add(1, Relaxed);
    }

    pub(crate) fn replayed(&self) {
        self.replayed.fetch_add(1, Relaxed);
    }

    pub(crate) fn extra(&self) -> Extra {
        Extra {
            retried: self.retried.load(Relaxed),
            hedged: self.hedged.load(Relaxed),
            replayed: self.replayed.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_calls_together_keep_no_more_than_the_bound() {
        let ledger = Ledger::new(RetryThrottling::unchecked(10, 0.1));
        assert!(ledger.keep(MOST_KEPT - 1));
        assert!(!ledger.keep(2));
        assert!(ledger.keep(1));
        assert!(!ledger.keep(usize::MAX));
        ledger.let_go(2);
        assert!(ledger.keep(2));
    }
}
