//! How a connection's owner speaks to the task that drives it.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::pool::event::CloseReason;

/// The owner's end and the driver's end of the same few words.
#[derive(Debug, Default)]
pub(crate) struct Control(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    drain: Option<Drain>,
    look: bool,
    waker: Option<Waker>,
}

/// The order to finish what is in flight and close.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// Why; becomes the reason the connection closed for.
    pub(crate) reason: CloseReason,
    /// How long calls in flight may take to finish; for ever if not given.
    pub(crate) cut_after: Option<Duration>,
}

/// What the driver is asked to do.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) drain: Option<Drain>,
    /// The owner wants to be called from the driver's task.
    pub(crate) look: bool,
}

impl Control {
    /// Orders the connection to drain. A later order may shorten the time, and keeps the first reason.
    pub(crate) fn drain(&self, order: Drain) {
        self.give(|state| {
            let reason = state.drain.map_or(order.reason, |before| before.reason);
            state.drain = Some(Drain { reason, ..order });
        });
    }

    /// Has the driver call its owner, from within its runtime.
    pub(crate) fn look(&self) {
        self.give(|state| state.look = true);
    }

    fn give(&self, order: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        order(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The orders as they stand; the task is woken by the next one.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Orders {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        Orders {
            drain: state.drain,
            look: std::mem::take(&mut state.look),
        }
    }
}
