//! Panics of code that is the user's: caught where it is called, and reported as failures.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// A panic of the user's code, with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Panicked(String);

impl Panicked {
    pub(crate) fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload.downcast_ref::<&str>().copied();
        let message = message.or_else(|| payload.downcast_ref().map(String::as_str));
        Self(message.unwrap_or("no message").to_owned())
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it panicked: {}", self.0)
    }
}

impl std::error::Error for Panicked {}

/// Polls `future` to its end, or to its first panic. Nothing of it is used after that: it is dropped.
pub(crate) async fn catch_panic<F: Future>(future: F) -> Result<F::Output, Panicked> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(payload) => Poll::Ready(Err(Panicked::new(&*payload))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_its_message() {
        let rows: [(fn(), &str); 3] = [
            (|| panic!("as told"), "it panicked: as told"),
            (|| panic!("as {}", "formatted"), "it panicked: as formatted"),
            (|| std::panic::panic_any(7), "it panicked: no message"),
        ];
        for (code, text) in rows {
            let late = async move {
                tokio::task::yield_now().await;
                code();
            };
            assert_eq!(catch_panic(late).await.unwrap_err().to_string(), text);
        }
        assert_eq!(catch_panic(async { 7 }).await, Ok(7));
    }
}
