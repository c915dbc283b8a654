//! What a connection's owner tells the task that drives it: to come to an end, and what waits for resets.

use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use super::resets;
use crate::pool::event::CloseReason;

/// The owner's end and the driver's end.
#[derive(Debug, Default)]
pub(crate) struct Control(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    drain: Option<Drain>,
    look: bool,
    doubt: bool,
    given_up: Vec<Held>,
    /// Resets that the task has made of late, and those that wait there.
    resets_made: usize,
    held: Vec<Held>,
    /// Nothing will be written any more.
    ended: bool,
    waker: Option<Waker>,
}

/// What is dropped when the resets that were queued before it are written.
pub(crate) type Held = Box<dyn Debug + Send>;

/// The owner's orders to the task.
#[derive(Debug)]
pub(crate) struct Orders {
    /// The order to drain as it stands; it is repeated each time.
    pub(crate) drain: Option<Drain>,
    /// Ask the owner for news.
    pub(crate) look: bool,
    /// PING the peer.
    pub(crate) doubt: bool,
    /// To be dropped at a pace: resets streams that the peer may not have accepted yet.
    pub(crate) given_up: Vec<Held>,
    /// To be dropped once the resets are written that are queued by now.
    pub(crate) held: Vec<Held>,
}

/// The order to finish what is in flight and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drain {
    /// Why; becomes the reason the connection closed for.
    pub(crate) reason: CloseReason,
    /// How long calls in flight may take to finish; for ever if not given.
    pub(crate) cut_after: Option<Duration>,
}

impl Control {
    /// Orders the connection to drain. A later order changes the time, and keeps the first reason.
    pub(crate) fn drain(&self, order: Drain) {
        self.tell(|state| {
            let reason = state.drain.map_or(order.reason, |before| before.reason);
            state.drain = Some(Drain { reason, ..order });
        });
    }

    /// Has the task ask its owner for news, as it does from time to time.
    pub(crate) fn look(&self) {
        self.tell(|state| state.look = true);
    }

    /// Has the task PING a peer that is doubted, and end the connection if it does not answer.
    pub(crate) fn doubt(&self) {
        self.tell(|state| state.doubt = true);
    }

    /// The handles of a stream that was given up soon after it was opened. Dropping them resets it, which the task does at
    /// a pace that the peer can follow. False if it has to wait for that.
    pub(crate) fn give_up(&self, handles: Held) -> bool {
        let mut before = 0;
        self.hold(handles, |state| {
            before = state.resets_made + state.given_up.len();
            &mut state.given_up
        });
        before < resets::BURST
    }

    /// Streams were reset from this side; the RST_STREAM frames are queued in h2. Drops `held` when they are written, or
    /// will never be.
    pub(crate) fn when_reset(&self, held: Held) {
        self.hold(held, |state| &mut state.held);
    }

    fn hold(&self, held: Held, list: impl FnOnce(&mut State) -> &mut Vec<Held>) {
        let late = self.tell(|state| match state.ended {
            true => Some(held),
            false => {
                list(state).push(held);
                None
            }
        });
        drop(late);
    }

    fn tell<R>(&self, news: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state();
        let result = news(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Takes the orders. The task is woken by the next one.
    ///
    /// `resets_made`: those of streams that were given up, of late, and those that wait.
    pub(crate) fn poll(&self, resets_made: usize, cx: &Context<'_>) -> Orders {
        let mut state = self.state();
        // Those that are taken now will be made, or wait, before the next time.
        state.resets_made = resets_made + state.given_up.len();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        Orders {
            drain: state.drain,
            look: std::mem::take(&mut state.look),
            doubt: std::mem::take(&mut state.doubt),
            given_up: std::mem::take(&mut state.given_up),
            held: std::mem::take(&mut state.held),
        }
    }

    /// The connection has ended: nobody waits for its resets any more.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let held = (std::mem::take(&mut state.given_up), std::mem::take(&mut state.held));
        drop(state);
        drop(held);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
