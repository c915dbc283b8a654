//! SETTINGS_MAX_CONCURRENT_STREAMS that comes late, changes and drops to nothing (R4, R6): calls wait, none is lost.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use pool_runtime::{Phase, Pool};
use tests::fault::{Conn, FaultServer, cases};
use tests::pb::TestRequest;
use tests::stats::Stats;
use tests::wire::{kind, setting};
use tests::within;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tonic::{Code, Request};

use super::check_clean;
use crate::calls::{Client, client, echo, eventually, facts, hanging, in_memory};

fn spawn(client: &Client, calls: usize) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for _ in 0..calls {
        let client = client.clone();
        set.spawn(async move { drop(client.unary(echo()).await.unwrap()) });
    }
    set
}

fn settings_acknowledged(stats: &Stats) -> usize {
    stats
        .frames()
        .filter(|frame| frame.acknowledges(kind::SETTINGS))
        .count()
}

/// Changes the limit, and returns once the client has taken note.
async fn change(limit: &watch::Sender<Option<u32>>, to: u32, server: &FaultServer) {
    let before = settings_acknowledged(&server.stats());
    limit.send_replace(Some(to));
    server.until(|stats| settings_acknowledged(stats) > before).await;
}

#[tokio::test]
async fn calls_wait_for_a_limit_that_comes_late() {
    let limit = watch::Sender::new(None);
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let client = client(server.uri());
    let calls = spawn(&client, 40);
    server
        .until(|stats| stats.frames().any(|frame| frame.is(kind::SETTINGS)))
        .await;
    eventually("the calls to wait", || client.pool().stats().waiting == 40).await;
    assert_eq!(server.stats().streams_total, 0);
    limit.send_replace(Some(5));
    within("the calls", calls.join_all()).await;
    let stats = server.stats();
    assert!(stats.streams_peak <= 5, "{} streams at once", stats.streams_peak);
    assert_eq!(
        (stats.connections_total, stats.streams_total, stats.refused),
        (1, 40, 0)
    );
    check_clean(&client, server).await;
}

#[tokio::test]
async fn calls_wait_out_a_limit_of_nothing() {
    let limit = watch::Sender::new(Some(10));
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let client = client(server.uri());
    client.unary(echo()).await.unwrap();
    change(&limit, 0, &server).await;
    eventually("the new limit", || client.pool().stats().connections[0].limit == 0).await;

    let mut request = Request::new(echo());
    request.set_timeout(Duration::from_millis(50));
    let status = client.unary(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(facts(&status), (Some(Phase::Waiting), false, 0));

    let calls = spawn(&client, 20);
    eventually("the calls to wait", || client.pool().stats().waiting == 20).await;
    assert_eq!(server.stats().streams_total, 1);
    change(&limit, 2, &server).await;
    within("the calls", calls.join_all()).await;
    let stats = server.stats();
    assert!(stats.streams_peak <= 2, "{} streams at once", stats.streams_peak);
    assert_eq!((stats.connections_total, stats.streams_total), (1, 21));
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_first_limit_of_nothing_is_waited_out_too() {
    let limit = watch::Sender::new(Some(0));
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let client = Client::new(Pool::builder(server.uri()).max_connections(10).build().unwrap());
    let calls = spawn(&client, 10);
    eventually("the connection", || client.pool().stats().opened > 0).await;
    server.until(|stats| settings_acknowledged(stats) > 0).await;
    // Another connection may have streams, at another address say: one is tried at once, the next after a second.
    let tried = server.stats().connections_total;
    assert!(tried <= 3, "{tried} connections were tried");
    change(&limit, 10, &server).await;
    within("the calls", calls.join_all()).await;
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_lowered_limit_cuts_nothing_and_holds_for_what_comes() {
    let limit = watch::Sender::new(Some(10));
    let server = FaultServer::start(cases::limit_follows(limit.subscribe())).await;
    let client = client(server.uri());
    let mut held: Vec<_> = Vec::new();
    for n in 1..=10 {
        let client = client.clone();
        held.push(tokio::spawn(async move { client.unary(hanging(0)).await }));
        server.until(|stats| stats.streams_now == n).await;
    }
    change(&limit, 3, &server).await;
    let calls = spawn(&client, 5);
    eventually("the calls to wait", || client.pool().stats().waiting == 5).await;
    for call in held.drain(..7) {
        call.abort();
        let _ = call.await;
    }
    let stats = server.until(|stats| stats.streams_now == 3).await;
    assert_eq!((stats.cancelled, stats.streams_total), (7, 10));
    assert_eq!((client.pool().stats().in_flight, client.pool().stats().waiting), (3, 5));
    held.pop().unwrap().abort();
    within("the calls", calls.join_all()).await;
    drop(held);
    assert_eq!(server.stats().connections_total, 1);
}

#[tokio::test]
async fn a_limit_that_keeps_changing_is_never_overstepped_and_loses_no_call() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[(setting::MAX_CONCURRENT_STREAMS, 4)]).await?;
        for round in 0_u32.. {
            // What is in flight is answered before the limit changes, so that no lower one finds more of them.
            let mut requests = vec![conn.next_request().await?];
            conn.ping_pong().await?;
            while let Ok(Ok(request)) = tokio::time::timeout(Duration::ZERO, conn.next_request()).await {
                requests.push(request);
            }
            let limit = [4, 1, 0, 3, 2][round as usize % 5];
            conn.send_settings(&[(setting::MAX_CONCURRENT_STREAMS, limit)]).await?;
            for request in &requests {
                conn.reply(request).await?;
            }
            if limit == 0 {
                conn.ping_pong().await?;
                conn.send_settings(&[(setting::MAX_CONCURRENT_STREAMS, 2)]).await?;
            }
        }
        Ok(())
    })
    .await;
    let client = client(server.uri());
    within("the calls", spawn(&client, 200).join_all()).await;
    let stats = server.stats();
    assert!(stats.streams_peak <= 4, "{} streams at once", stats.streams_peak);
    assert_eq!((stats.connections_total, stats.streams_total), (1, 200));
    check_clean(&client, server).await;
}

/// Exclusive checkout means that the peer never sees a second stream, also if it reads much later.
#[tokio::test]
async fn a_peer_that_reads_late_sees_no_stream_too_many() {
    let reads = Arc::new(Notify::new());
    let read = reads.clone();
    let server = FaultServer::start(move |mut conn: Conn| {
        let read = read.clone();
        async move {
            conn.handshake(&[(setting::INITIAL_WINDOW_SIZE, 1 << 30)]).await?;
            conn.window_update(0, 1 << 30).await?;
            conn.ping_pong().await?;
            read.notified().await;
            conn.until_closed().await
        }
    })
    .await;
    let pool = Pool::builder(server.uri())
        .max_connections(1)
        .max_concurrent_streams(1)
        .build()
        .unwrap();
    pool.ready(1).await.unwrap();
    let client = Client::new(pool.clone());
    let huge = TestRequest {
        payload: vec![7; 64 << 20],
        script: None,
    };
    for request in [huge, echo(), echo(), echo()] {
        let mut request = Request::new(request);
        request.set_timeout(Duration::from_millis(100));
        client.unary(request).await.unwrap_err();
    }
    reads.notify_waiters();
    server.until(|stats| stats.cancelled > 0).await;
    assert_eq!(server.stats().streams_peak_per_connection(), 1);
}

/// A call that runs within its own wake-up, as on another thread it may. Once it has its slot it stands still: what wakes
/// it then may hold h2's lock.
struct Prompt {
    pool: Pool,
    waits: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    started: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

impl Prompt {
    /// Puts the call into the pool's queue.
    fn queued(client: &Client) -> Arc<Self> {
        let call = client.clone();
        let prompt = Arc::new(Self {
            pool: client.pool().clone(),
            waits: Mutex::new(Some(Box::pin(async move { drop(call.unary(hanging(0)).await) }))),
            started: Mutex::new(None),
        });
        prompt.clone().wake();
        assert!(prompt.started.lock().unwrap().is_none(), "it does not wait");
        prompt
    }
}

impl Wake for Prompt {
    fn wake(self: Arc<Self>) {
        let Ok(mut waits) = self.waits.try_lock() else { return };
        let Some(mut call) = waits.take() else { return };
        let waker = Waker::from(self.clone());
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let place = match self.pool.stats().waiting {
            0 => &mut *self.started.lock().unwrap(),
            _ => &mut *waits,
        };
        *place = Some(call);
    }
}

/// h2 writes the HEADERS of a new stream before a reset that has waited longer.
#[tokio::test(start_paused = true)]
async fn a_slot_is_free_after_its_reset() {
    for replies in [0, 1] {
        let server = FaultServer::start(|mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            let first = conn.next_opened().await?;
            if first.path().ends_with("ServerStream") {
                conn.respond(first.stream).await?;
            }
            conn.until_closed().await
        })
        .await;
        let pool = Pool::builder("http://peer.test")
            .connector(in_memory(server.entrance(), 4 << 10))
            .max_connections(1)
            .max_concurrent_streams(1);
        let client = Client::new(pool.build().unwrap());
        let mut first = JoinSet::new();
        first.spawn({
            let client = client.clone();
            async move {
                match replies {
                    0 => drop(client.unary(hanging(0)).await),
                    _ => drop(
                        client
                            .server_stream(hanging(0))
                            .await
                            .unwrap()
                            .into_inner()
                            .message()
                            .await,
                    ),
                }
            }
        });
        // Its reset is not held back, as that of a stream just opened is.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = Prompt::queued(&client);
        first.shutdown().await;
        let stats = server.until(|stats| stats.streams_total == 2).await;
        assert!(second.started.lock().unwrap().is_some(), "it has no slot");
        assert_eq!((stats.cancelled, stats.streams_peak), (1, 1));
    }
}
