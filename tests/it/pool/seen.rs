//! What a pool tells of itself: figures, a table, JSON, events.

use std::time::Duration;

use pool_runtime::{Backoff, ConnectionState, Pool, PoolState, PoolStats, Strategy};
use tests::server::TestServer;

use super::{Client, Log, hang, lasting, poll_once, refusing, until};

#[tokio::test]
async fn stats_count_what_happened() {
    let server = TestServer::builder().max_concurrent_streams(2).start().await;
    let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
    Client::new(pool.clone()).unary(lasting(0)).await.unwrap();
    let calls = hang(&server, &pool, 2).await;
    let mut waiter = Box::pin(pool.acquire());
    assert!(poll_once(waiter.as_mut()).is_pending());

    let stats = pool.stats();
    assert_eq!(
        (stats.endpoint.as_str(), stats.state),
        (server.uri().as_str(), PoolState::Ready)
    );
    assert_eq!((stats.max_connections, stats.dialing), (1, 0));
    assert_eq!((stats.in_flight, stats.waiting), (2, 1));
    // The first call waited for the connection, the last one waits.
    assert_eq!((stats.checkouts, stats.waited, stats.refused), (3, 2, 0));
    assert_eq!(
        (stats.opened, stats.closed, stats.failed_dials, stats.cut),
        (1, 0, 0, 0)
    );
    let connection = &stats.connections[0];
    assert_eq!((connection.id, connection.peer), (1, server.address()));
    assert_eq!(connection.state, ConnectionState::Serving);
    assert_eq!(
        (connection.in_flight, connection.limit, connection.total_uses),
        (2, 2, 3)
    );
    assert_eq!(connection.idle, None);

    drop((waiter, calls));
    let stats = until(&pool, |stats| stats.in_flight == 0).await;
    assert_eq!(stats.waiting, 0);
    assert!(stats.connections[0].idle.is_some());
}

#[tokio::test]
async fn the_state_is_that_of_the_connectivity_semantics() {
    let server = TestServer::builder().silent().start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    assert_eq!(pool.stats().state, PoolState::Idle);
    let _ = pool.try_acquire();
    assert_eq!(pool.stats().state, PoolState::Connecting);
    pool.close();
    assert_eq!(pool.stats().state, PoolState::Shutdown);

    let (_refusing, uri) = refusing();
    let pool = Pool::builder(uri).build().unwrap();
    pool.acquire().await.unwrap_err();
    assert_eq!(pool.stats().state, PoolState::TransientFailure);
}

/// The table, with what differs between two runs made the same, in the width that it had: the port, and times.
fn masked(table: &str, server: &TestServer) -> String {
    let address = server.address().unwrap().to_string();
    let table = table
        .replace(&format!("{address:<21}"), &format!("{:<21}", "127.0.0.1:port"))
        .replace(&address, "127.0.0.1:port");
    let time = |column: &str| match column.trim() {
        "-" => column.to_owned(),
        time if time.ends_with("ms") || time.ends_with(" s") => format!("{:>10}", "time"),
        other => panic!("no time: {other:?} in\n{table}"),
    };
    let mask = |line: &str| match line.split_at_checked(line.len().saturating_sub(20)) {
        Some((row, times)) if row.contains("serving") => row.to_owned() + &time(&times[..10]) + &time(&times[10..]),
        _ => line.to_owned(),
    };
    table.lines().map(mask).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn the_table_can_be_read() {
    let server = TestServer::builder().max_concurrent_streams(10).start().await;
    let pool = Pool::builder(server.uri()).max_connections(4);
    let pool = pool.strategy(Strategy::FillFirst).build().unwrap();
    pool.ready(2).await.unwrap();
    let _call = hang(&server, &pool, 1).await;
    let expected = "\
pool http://127.0.0.1:port: ready
2 of 4 connections, 0 dialing; 1 calls in flight, 0 waiting
  id  peer                   state     in flight  limit       calls       age      idle
   1  127.0.0.1:port         serving           1     10           1      time         -
   2  127.0.0.1:port         serving           0     10           0      time      time
so far: 1 checkouts, 0 waited, 0 refused, 0 cut; 2 connections opened, 0 closed, 0 dials failed";
    assert_eq!(masked(&pool.stats().to_string(), &server), expected);

    let unused = Pool::builder("unix:/nowhere").build().unwrap().stats().to_string();
    let expected = "\
pool unix:/nowhere: idle
0 of 10 connections, 0 dialing; 0 calls in flight, 0 waiting
so far: 0 checkouts, 0 waited, 0 refused, 0 cut; 0 connections opened, 0 closed, 0 dials failed";
    assert_eq!(unused, expected);
}

#[tokio::test]
async fn stats_serialize() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).max_connections(4).connect().await.unwrap();
    let _lease = pool.acquire().await.unwrap();
    let json = serde_json::to_value(pool.stats()).unwrap();
    assert_eq!(json["endpoint"], server.uri());
    assert_eq!((&json["state"], &json["max_connections"]), (&"Ready".into(), &4.into()));
    let connection = &json["connections"][0];
    assert_eq!((&connection["id"], &connection["in_flight"]), (&1.into(), &1.into()));
    assert_eq!(
        (&connection["state"], &connection["idle"]),
        (&"Serving".into(), &serde_json::Value::Null)
    );
    assert_eq!(connection["peer"], server.address().unwrap().to_string());
}

#[tokio::test]
async fn stats_give_the_last_connect_error() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri())
        .backoff(Backoff {
            base: Duration::from_millis(1),
            max: Duration::from_millis(1),
            ..Backoff::default()
        })
        .build()
        .unwrap();
    assert_eq!(pool.stats().last_connect_error, None);
    server.close_listener().await;
    pool.acquire().await.unwrap_err();

    let check = |stats: PoolStats| {
        let failure = stats.last_connect_error.clone().expect("a dial failed");
        let step = format!("connecting to {} failed: ", server.address().unwrap());
        assert!(failure.error.starts_with(&step), "{}", failure.error);
        assert!(failure.error.contains("refused"), "{}", failure.error);
        let table = stats.to_string();
        let line = table.lines().last().unwrap();
        assert!(line.starts_with("last connect error, "), "{table}");
        assert!(line.ends_with(&format!(" ago: {}", failure.error)), "{table}");
        let json = serde_json::to_value(stats).unwrap();
        assert_eq!(json["last_connect_error"]["error"], failure.error);
    };
    check(pool.stats());
    server.reopen_listener().await;
    while pool.acquire().await.is_err() {}
    // It is kept for who looks later.
    check(pool.stats());
}

/// A connection that has served, and one that has not, nor for long.
#[tokio::test]
async fn only_an_early_loss_is_a_connect_error() {
    for served in [true, false] {
        let server = TestServer::start().await;
        let pool = Pool::builder(server.uri()).connect().await.unwrap();
        if served {
            Client::new(pool.clone()).unary(lasting(0)).await.unwrap();
            until(&pool, |stats| stats.in_flight == 0).await;
        }
        server.cut_all();
        until(&pool, |stats| stats.closed == 1).await;
        let error = pool.stats().last_connect_error.map(|failure| failure.error);
        match served {
            true => assert_eq!(error, None),
            false => assert!(error.is_some_and(|error| error.contains("ended the connection soon after"))),
        }
    }
}

#[tokio::test]
async fn events_come_in_the_order_in_which_things_happen() {
    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .idle_timeout(Duration::from_millis(20))
        .observer(log.clone())
        .build()
        .unwrap();
    let lease = pool.acquire().await.unwrap();
    let mut next = Box::pin(pool.acquire());
    assert!(poll_once(next.as_mut()).is_pending());
    let mut impatient = Box::pin(pool.acquire());
    assert!(poll_once(impatient.as_mut()).is_pending());
    drop(impatient);
    drop(lease);
    drop(next.await.unwrap());
    drop(pool.acquire().await.unwrap());
    until(&pool, |stats| stats.closed == 1).await;
    assert_eq!(
        log.lines(),
        [
            "waiting",
            "opening",
            "opened 1",
            "checked out 1 after a wait",
            "waiting",
            "waiting",
            "gave up",
            "returned 1",
            "checked out 1 after a wait",
            "returned 1",
            "checked out 1",
            "returned 1",
            "draining 1: idle for too long",
            "closed 1: idle for too long, 0 cut",
        ]
    );
}

#[tokio::test]
async fn observers_learn_of_failed_dials_and_of_cut_calls() {
    let (_refusing, uri) = refusing();
    let log = Log::default();
    let pool = Pool::builder(uri).observer(log.clone()).build().unwrap();
    pool.acquire().await.unwrap_err();
    let lines = log.lines();
    assert_eq!(
        lines.iter().map(|line| &line[..7]).collect::<Vec<_>>(),
        ["waiting", "opening", "failed:", "gave up"]
    );
    assert!(lines[2].contains("refused"), "{lines:?}");

    let server = TestServer::start().await;
    let log = Log::default();
    let pool = Pool::builder(server.uri()).observer(log.clone()).build().unwrap();
    let _calls = hang(&server, &pool, 2).await;
    server.cut_all();
    until(&pool, |stats| stats.closed == 1).await;
    assert_eq!(
        log.count("closed 1: the connection was lost, 2 cut"),
        1,
        "{:?}",
        log.lines()
    );
}

#[tokio::test]
async fn every_observer_is_told() {
    let server = TestServer::start().await;
    let (first, second) = (Log::default(), Log::default());
    let pool = Pool::builder(server.uri())
        .observer(first.clone())
        .observer(second.clone());
    pool.connect().await.unwrap();
    assert!(!first.lines().is_empty());
    assert_eq!(first.lines()[..2], second.lines()[..2]);
}
