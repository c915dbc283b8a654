//! Where a call goes that another connection failed: elsewhere, if that can be.

use std::time::Duration;

use h2::Reason;
use pool_runtime::{Builder, Lease, Pool, Strategy};
use tests::fault::{Conn, FaultServer};
use tests::within;
use tonic::{Code, Request};

use crate::calls::{Client, echo, eventually, in_memory};

/// What the first connection of a server does with each request. The others serve.
#[derive(Clone, Copy)]
enum Bad {
    Refuses,
    Fails(Code),
    /// Acknowledges everything and answers nothing.
    Mute,
}

async fn one_bad_of_two(bad: Bad) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        if conn.index() > 0 {
            return conn.serve().await;
        }
        loop {
            let request = conn.next_request().await?;
            match bad {
                Bad::Refuses => conn.rst(request.stream, Reason::REFUSED_STREAM).await?,
                Bad::Fails(code) => conn.fail(request.stream, code, "as told").await?,
                Bad::Mute => {}
            }
        }
    })
    .await
}

/// A client whose pool has both connections, the bad one first.
async fn client_of_both(server: &FaultServer, strategy: Strategy) -> Client {
    client_of_two(Pool::builder(server.uri()), strategy).await
}

async fn client_of_two(pool: Builder, strategy: Strategy) -> Client {
    let pool = pool.strategy(strategy).max_connections(2).build().unwrap();
    pool.ready(1).await.unwrap();
    pool.ready(2).await.unwrap();
    Client::new(pool)
}

/// Takes up to so many slots, and keeps those that are not on the first connection.
async fn busy_but_for_the_first(pool: &Pool, slots: usize) -> Vec<Lease> {
    let mut leases = Vec::new();
    while leases.len() < slots {
        leases.push(pool.acquire().await.unwrap());
    }
    leases.retain(|lease| lease.connection_id() != 1);
    leases
}

#[tokio::test]
async fn refused_calls_move_on() {
    for strategy in [Strategy::LeastLoaded, Strategy::FillFirst, Strategy::RoundRobin] {
        let server = one_bad_of_two(Bad::Refuses).await;
        let client = client_of_both(&server, strategy).await;
        for _ in 0..10 {
            within("a call", client.unary(echo())).await.unwrap();
        }
        let stats = server.stats();
        assert!((1..=10).contains(&stats.refused), "{strategy:?}: {}", stats.refused);
        assert_eq!(stats.streams_total, 10 + stats.refused, "{strategy:?}");
    }
}

/// Each call that fails counts as one in flight. A call that was refused moves on even if the other connection has more.
#[tokio::test]
async fn refused_calls_do_not_come_back() {
    let server = one_bad_of_two(Bad::Refuses).await;
    let client = client_of_both(&server, Strategy::LeastLoaded).await;
    let busy = busy_but_for_the_first(client.pool(), 50).await;
    for _ in 0..10 {
        within("a call", client.unary(echo())).await.unwrap();
    }
    assert_eq!(server.stats().refused, 10);
    drop(busy);
}

#[tokio::test]
async fn ties_are_spread() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.serve().await
    })
    .await;
    let client = client_of_both(&server, Strategy::LeastLoaded).await;
    for _ in 0..60 {
        within("a call", client.unary(echo())).await.unwrap();
    }
    for connection in server.stats().connections {
        assert!(connection.streams_total > 0, "60 calls went to the other one");
    }
}

/// On a paused clock the calls that are served take no time, in which its fault could be forgotten.
#[tokio::test(start_paused = true)]
async fn calls_turn_away_from_a_mute_peer() {
    let server = one_bad_of_two(Bad::Mute).await;
    let pool = Pool::builder("http://peer.test").connector(in_memory(server.entrance(), 4 << 10));
    let client = client_of_two(pool, Strategy::LeastLoaded).await;
    let mut failed = 0;
    for _ in 0..50 {
        let mut request = Request::new(echo());
        request.set_timeout(Duration::from_millis(100));
        failed += usize::from(client.unary(request).await.is_err());
    }
    assert!(failed <= 1, "{failed} of 50 calls went to the mute one");
}

/// Under load a server that fails at once has nothing in flight, and looks like the emptiest.
#[tokio::test]
async fn a_server_that_fails_at_once_is_not_the_emptiest() {
    let server = one_bad_of_two(Bad::Fails(Code::Unavailable)).await;
    let client = client_of_both(&server, Strategy::LeastLoaded).await;
    // Each call beside these finds the good connection busier.
    let _busy = busy_but_for_the_first(client.pool(), 8).await;
    let (mut failed, calls) = (0, 200);
    for _ in 0..calls {
        failed += usize::from(within("a call", client.unary(echo())).await.is_err());
    }
    assert!(failed < calls / 2, "{failed} of {calls} calls went to the failing one");
    eventually("its faults to be forgotten", || client.pool().stats().in_flight == 4).await;
}
