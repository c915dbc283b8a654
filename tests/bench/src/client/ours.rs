//! This project's clients: the annotated one, and tonic's generated client over the pool.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pool_runtime::{Event, Pool, pooled_client};

use super::plain::{call_all_shapes, message, messages, request};
use super::{Caller, Job, Setup, Shape};
use crate::Failure;

/// The annotated client.
#[pooled_client(crate::helloworld::greeter_client::GreeterClient)]
pub(crate) struct Greeter;

/// The annotated client without a deadline and retries, as a Channel's is.
#[pooled_client(crate::helloworld::greeter_client::GreeterClient, deadline = "none", retry = "none")]
pub(crate) struct Plain;

impl Caller for Greeter {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        call_all_shapes!(self, job);
        Ok(())
    }
}

impl Caller for Plain {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        call_all_shapes!(self, job);
        Ok(())
    }
}

/// A pool of one open connection that is never full; with an observer that counts events, if asked for.
///
/// # Errors
///
/// It could not connect.
pub(crate) async fn pool(setup: &Setup) -> Result<Pool, Failure> {
    let mut builder = Pool::builder(format!("http://{}", setup.address))
        .max_connections(1)
        .max_concurrent_streams(1 << 14);
    if setup.observed {
        let events = AtomicU64::new(0);
        builder = builder.observer(move |_: &Event<'_>| {
            events.fetch_add(1, Relaxed);
        });
    }
    Ok(builder.connect().await?)
}
