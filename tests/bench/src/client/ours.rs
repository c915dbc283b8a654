//! This project's clients: the annotated one, and tonic's generated client over the pool.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pool_runtime::{Event, Pool, pooled_client};

use super::plain::{call_all_shapes, message, messages, request};
use super::{Caller, Job, Shape};
use crate::Failure;

/// The annotated client.
#[pooled_client(crate::helloworld::greeter_client::GreeterClient)]
pub struct Greeter;

impl Caller for Greeter {
    async fn call(&mut self, job: &Job) -> Result<(), Failure> {
        call_all_shapes!(self, job);
        Ok(())
    }
}

/// A pool of so many open connections, none of which is ever full; with an observer that counts events, if asked for.
///
/// # Errors
///
/// It could not connect.
pub async fn pool(address: SocketAddr, connections: usize, observed: bool) -> Result<Pool, Failure> {
    let mut builder = Pool::builder(format!("http://{address}"))
        .min_connections(connections)
        .max_connections(connections)
        .max_concurrent_streams(1 << 14);
    if observed {
        let events = AtomicU64::new(0);
        builder = builder.observer(move |_: &Event<'_>| {
            events.fetch_add(1, Relaxed);
        });
    }
    Ok(builder.connect().await?)
}
