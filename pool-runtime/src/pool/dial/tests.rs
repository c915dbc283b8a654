//! A name with several addresses, as a pool sees it. Loopback has a second address on Linux only.
#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::conn::dial::tests::handshakes::Peer::{self, Closes, Leaves, Sends, SendsAway, Serves, Silent};
use crate::conn::dial::tests::handshakes::Peers;
use crate::{ConnectionState, ConnectionStats, Pool};

fn pool(peers: &Peers) -> Pool {
    let pool = Pool::builder("http://greeter.example").build().unwrap();
    let addresses = peers.addresses.clone();
    pool.shared().dialer.addresses.set(addresses).unwrap();
    pool
}

/// Fails after TCP, in any way.
const BAD: [Peer; 3] = [Closes, Silent, Sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")];

#[tokio::test]
async fn a_bad_address_fails_no_first_call() {
    for bad in BAD {
        let peers = Peers::start(&[Serves(9), bad]).await;
        for run in 0..6 {
            let pool = pool(&peers);
            pool.acquire()
                .await
                .unwrap_or_else(|error| panic!("{bad:?}, run {run}: {error:?}"));
            assert_eq!(pool.stats().failed_dials, 0, "{bad:?}, run {run}");
        }
    }
}

#[tokio::test]
async fn a_bad_address_stops_no_growth() {
    for bad in BAD {
        let peers = Peers::start(&[Serves(2), bad]).await;
        let pool = pool(&peers);
        let mut waiters = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let pool = pool.clone();
            waiters.spawn(async move { pool.acquire().await });
        }
        let mut leases = Vec::new();
        while let Some(lease) = waiters.join_next().await {
            leases.push(lease.unwrap().unwrap_or_else(|error| panic!("{bad:?}: {error:?}")));
        }
        let stats = pool.stats();
        assert_eq!(stats.connections.len(), 8, "{bad:?}: {stats}");
        assert_eq!(stats.failed_dials, 0, "{bad:?}: {stats}");
    }
}

#[tokio::test]
async fn an_early_end_puts_its_address_last() {
    for bad in [Leaves, SendsAway] {
        let peers = Peers::start(&[Serves(9), bad]).await;
        let serves = peers.addresses[0];
        for run in 0..10 {
            let pool = pool(&peers);
            // A response would show that the connection was of use, and there is none.
            let held = pool.acquire().await.unwrap();
            let first = pool.stats().connections.first().map(|first| first.peer);
            if first == Some(Some(serves)) {
                continue;
            }
            let taken_out = |connection: &ConnectionStats| connection.state == ConnectionState::Draining;
            while !pool.stats().connections.iter().all(taken_out) && pool.stats().closed == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(held);
            while pool.stats().closed == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // The second of them would go to the address without a connection.
            pool.ready(2).await.unwrap();
            let peers: Vec<_> = pool.stats().connections.iter().map(|c| c.peer).collect();
            assert_eq!(peers, [Some(serves); 2], "{bad:?}, run {run}");
        }
    }
}
