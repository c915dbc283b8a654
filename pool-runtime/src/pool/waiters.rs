//! The queue of callers that wait for a stream: first come, first served (R3).
//!
//! A caller that gives up takes itself out by its number, so the queue holds live callers only and its length is
//! exact. Its bound is the pool's `max_waiters`.

use std::collections::BTreeMap;

use super::avoid::Avoid;

/// A waiter's place in the queue; smaller came earlier.
pub(crate) type WaiterId = u64;

/// One caller in the queue.
#[derive(Debug)]
pub(crate) struct Waiter<W> {
    /// How the caller is told.
    pub(crate) notify: W,
    /// Whether it waits through failed dials instead of failing with them (wait-for-ready).
    pub(crate) patient: bool,
    /// The connections that it would rather not get.
    pub(crate) avoid: Avoid,
}

/// Callers in order of arrival.
#[derive(Debug)]
pub(crate) struct Waiters<W> {
    queue: BTreeMap<WaiterId, Waiter<W>>,
    next: WaiterId,
}

impl<W> Waiters<W> {
    pub(crate) fn new() -> Self {
        Self {
            queue: BTreeMap::new(),
            next: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, waiter: Waiter<W>) -> WaiterId {
        let id = self.next;
        self.next += 1;
        self.queue.insert(id, waiter);
        id
    }

    /// The caller that has waited longest.
    pub(crate) fn first(&self) -> Option<&Waiter<W>> {
        self.queue.first_key_value().map(|(_, waiter)| waiter)
    }

    /// Takes the caller that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<Waiter<W>> {
        self.queue.pop_first().map(|(_, waiter)| waiter)
    }

    /// Takes a caller that gave up. False if it had been served or refused before.
    pub(crate) fn remove(&mut self, id: WaiterId) -> bool {
        self.queue.remove(&id).is_some()
    }

    /// Takes every caller that `gives_up`, in order.
    pub(crate) fn drain_where(&mut self, mut gives_up: impl FnMut(&Waiter<W>) -> bool) -> Vec<Waiter<W>> {
        let gone: Vec<WaiterId> = self
            .queue
            .iter()
            .filter(|(_, waiter)| gives_up(waiter))
            .map(|(&id, _)| id)
            .collect();
        gone.into_iter().filter_map(|id| self.queue.remove(&id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_of(patient: &[bool]) -> (Waiters<usize>, Vec<WaiterId>) {
        let mut waiters = Waiters::new();
        let ids = patient
            .iter()
            .enumerate()
            .map(|(notify, &patient)| {
                let avoid = Avoid::default();
                waiters.push(Waiter { notify, patient, avoid })
            })
            .collect();
        (waiters, ids)
    }

    #[test]
    fn the_longest_waiting_live_caller_is_next() {
        let (mut waiters, ids) = queue_of(&[false; 3]);
        assert!(waiters.remove(ids[0]));
        assert!(!waiters.remove(ids[0]), "gone is gone");
        assert_eq!(waiters.pop().map(|w| w.notify), Some(1));
        assert_eq!(waiters.len(), 1);
    }

    #[test]
    fn those_that_give_up_leave_in_order_and_the_others_keep_theirs() {
        let (mut waiters, _) = queue_of(&[false, true, false, true]);
        let gone: Vec<_> = waiters.drain_where(|w| !w.patient).iter().map(|w| w.notify).collect();
        assert_eq!(gone, [0, 2]);
        assert_eq!(waiters.pop().map(|w| w.notify), Some(1));
        assert_eq!(waiters.pop().map(|w| w.notify), Some(3));
        assert!(waiters.is_empty());
    }
}
