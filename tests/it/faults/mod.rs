//! Calls through the pool against peers that misbehave: what the caller sees, what the pool does next, and that
//! nothing is left over.

mod answers;
mod cancelled;
mod conformance;
mod elsewhere;
mod ends;
mod floods;
mod fuzzed;
mod goaway;
mod header_lists;
mod interop;
mod keepalive;
mod late;
mod limits;
mod lost;
mod malformed;
mod recycling;
mod resets;
mod stalls;

use std::io;
use std::sync::{Arc, Mutex};

use pool_runtime::{Builder, CloseReason, Event, Pool};
use tests::fault::{Conn, FaultServer};
use tests::within;

use crate::calls::{Client, echo, idle};

/// Does `first` on the first connection, and serves on the others.
async fn then_serves<F, R>(mut conn: Conn, first: F) -> io::Result<()>
where
    F: FnOnce(Conn) -> R,
    R: Future<Output = io::Result<()>>,
{
    match conn.index() {
        0 => first(conn).await,
        _ => {
            conn.handshake(&[]).await?;
            conn.serve().await
        }
    }
}

/// A client over a pool of at most one connection, on which a call has ended well: a connection that is lost before
/// that counts as a failed dial, and the pool would pause before the next one.
async fn proven(server: &FaultServer) -> Client {
    let client = Client::new(Pool::builder(server.uri()).max_connections(1).build().unwrap());
    within("the first call", client.read(echo())).await.unwrap();
    client
}

/// Checks that the pool serves the next call, on the `connection`-th connection, and that nothing is left of those
/// before it: no slot, no stream, no task once the pool is closed. A client has nothing to violate.
async fn check_recovers(client: Client, server: FaultServer, connection: u64) {
    let reply = within("the next call", client.read(echo())).await.unwrap();
    assert_eq!(reply.into_inner().connection, connection);
    check_clean(&client, server).await;
}

async fn check_clean(client: &Client, server: FaultServer) {
    idle(client.pool()).await;
    let stats = server.until(|stats| stats.streams_now == 0).await;
    for connection in &stats.connections {
        assert_eq!(connection.violation, None);
    }
    within(
        "the shutdown",
        client.pool().shutdown(std::time::Duration::from_secs(5)),
    )
    .await;
    server.until(|stats| stats.connections_now == 0).await;
    let stats = client.pool().stats();
    assert_eq!((stats.opened, stats.connections.len()), (stats.closed, 0));
    within("the server to stop", server.stop()).await;
    crate::calls::no_more_tasks_than(0).await;
}

/// What an observer saw of the things that faults are about.
#[derive(Debug, Default, Clone)]
struct Seen(Arc<Mutex<SeenEvents>>);

#[derive(Debug, Default)]
struct SeenEvents {
    replayed: Vec<u64>,
    draining: Vec<CloseReason>,
    closed: Vec<CloseReason>,
}

impl Seen {
    fn by(builder: Builder) -> (Builder, Self) {
        let seen = Self::default();
        let events = seen.clone();
        let builder = builder.observer(move |event: &Event<'_>| {
            let mut seen = events.0.lock().unwrap();
            match event {
                Event::Replayed { connection } => seen.replayed.push(*connection),
                Event::Draining { reason, .. } => seen.draining.push(*reason),
                Event::Closed { reason, .. } => seen.closed.push(*reason),
                _ => {}
            }
        });
        (builder, seen)
    }

    fn replayed(&self) -> usize {
        self.0.lock().unwrap().replayed.len()
    }

    fn draining(&self) -> Vec<CloseReason> {
        self.0.lock().unwrap().draining.clone()
    }

    fn closed(&self) -> Vec<CloseReason> {
        self.0.lock().unwrap().closed.clone()
    }
}
