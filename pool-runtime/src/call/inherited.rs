//! What a call inherits from the incoming call that it is made for: the deadline and the cancellation.
//!
//! A server that answers by asking other servers should ask them for no longer than its own caller waits, and stop when
//! that caller has gone. [`crate::server`] puts both into a task-local while a handler runs; every call looks there.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::deadline::{Deadline, Origin};

tokio::task_local! {
    /// `None` where a call was detached from the incoming one.
    static INCOMING: Option<Inherited>;
}

/// What pooled calls inherit from the incoming call that they are made for: what is left of its deadline, and its
/// cancellation.
///
/// A server with an [`InheritLayer`](crate::InheritLayer) needs this only where a handler leaves its own task: what it
/// spawns does not inherit by itself, because some of that is to outlive the call.
///
/// ```
/// # use pool_runtime::Inherited;
/// # async fn audit() {}
/// # async fn ask_both() {}
/// # async fn handler() {
/// // Work of this call in another task: same deadline, and cancelled with it.
/// let work = match Inherited::current() {
///     Some(inherited) => tokio::spawn(inherited.scope(ask_both())),
///     None => tokio::spawn(ask_both()),
/// };
/// // Work that has to be done even if the caller does not wait for it: in a task of its own it inherits nothing.
/// tokio::spawn(audit());
/// # let _ = work.await;
/// # }
/// ```
///
/// Metadata is not inherited. The credentials and trace context of one hop are for that hop: to whom they are passed on
/// is for the application to say, in an interceptor.
#[derive(Debug, Clone)]
pub struct Inherited(Arc<Incoming>);

#[derive(Debug)]
struct Incoming {
    deadline: Option<Deadline>,
    cancelled: CancellationToken,
}

impl Inherited {
    /// An incoming call that came in now and whose caller waits so long.
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        let deadline = timeout.map(|timeout| Deadline {
            origin: Origin::Incoming,
            ..Deadline::after(Instant::now(), timeout)
        });
        Self(Arc::new(Incoming {
            deadline,
            cancelled: CancellationToken::new(),
        }))
    }

    /// What calls inherit here; `None` outside of a handler with an [`InheritLayer`](crate::InheritLayer), in tasks
    /// that were spawned without [`scope`](Self::scope), and in a [detached](Self::detached) future.
    pub fn current() -> Option<Self> {
        INCOMING.try_with(Option::clone).ok().flatten()
    }

    /// Has the calls that `future` makes inherit this, wherever it runs.
    ///
    /// A call that the caller of the incoming one has cancelled meanwhile fails CANCELLED at once; one that is over
    /// because its handler is done cancels nothing, but its deadline holds.
    pub fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        INCOMING.scope(Some(self), future)
    }

    /// Has the calls that `future` makes inherit nothing.
    ///
    /// Polled by a handler, it is still dropped with it; what is to outlive the incoming call belongs into a task.
    pub fn detached<F: Future>(future: F) -> impl Future<Output = F::Output> {
        INCOMING.scope(None, future)
    }

    /// What is left of the incoming call's deadline, if its caller stated one.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.0.deadline?;
        Some(deadline.at.saturating_duration_since(Instant::now()))
    }

    /// Whether the incoming call was cancelled: its caller gave up, or its connection was lost, before the response was
    /// complete.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.0.deadline
    }

    /// Runs `future` to its end, or until the incoming call is cancelled.
    pub(crate) async fn until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.cancelled.run_until_cancelled(future).await
    }

    pub(crate) fn wait(&self) -> WaitForCancellationFutureOwned {
        self.0.cancelled.clone().cancelled_owned()
    }

    /// Cancels the incoming call when it is dropped, unless that is disarmed.
    pub(crate) fn guard(&self) -> DropGuard {
        self.0.cancelled.clone().drop_guard()
    }

    /// Runs `poll` with this in place.
    pub(crate) fn enter<R>(&self, poll: impl FnOnce() -> R) -> R {
        INCOMING.sync_scope(Some(self.clone()), poll)
    }
}

/// Has `future`, which will run in a task of its own, inherit what calls inherit here.
pub(super) fn carried<F: Future>(future: F) -> impl Future<Output = F::Output> {
    INCOMING.scope(Inherited::current(), future)
}
