//! What a connection's owner tells the task that drives it: to come to an end, and which streams were reset.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::pool::event::CloseReason;

/// The owner's end and the driver's end.
#[derive(Debug, Default)]
pub(crate) struct Control(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    drain: Option<Drain>,
    resets: u32,
    waker: Option<Waker>,
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

    /// A stream was reset from this side; its RST_STREAM is queued in h2.
    pub(crate) fn stream_reset(&self) {
        self.tell(|state| state.resets += 1);
    }

    /// How many streams were reset since this was last asked.
    pub(crate) fn take_resets(&self) -> u32 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.resets)
    }

    fn tell(&self, news: impl FnOnce(&mut State)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        news(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The order as it stands; the task is woken by the next one.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Option<Drain> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        state.drain
    }
}
