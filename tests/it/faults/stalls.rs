//! Peers that fall silent at some stage, or stop reading: every wait ends, on the clock, and nothing is left.
//!
//! The clock is paused and the transports are pipes in memory: a socket may have yet to deliver what was sent, and a
//! paused clock would run ahead of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use pool_runtime::{Backoff, Builder, CloseReason, Connector, Error, Phase, Pool, Target};
use tests::fault::{Conn, Entrance, FaultServer, cases};
use tests::pb::TestRequest;
use tests::wire::{kind, setting};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Status};

use super::keepalive::falls_silent;
use super::{Seen, then_serves};
use crate::calls::{Client, echo, endless, facts, in_memory, tasks};

/// A pipe that holds what a few small calls send.
const PIPE: usize = 4 << 10;

/// More than any wait in here takes.
const LONG: Duration = Duration::from_secs(120);

/// One that listens, and one that sits on its end of a pipe for ever.
const SERVERS_TASKS: usize = 2;

/// A pool of at most one connection to a server in memory.
fn pool(server: &FaultServer, bytes: usize) -> Builder {
    Pool::builder("http://peer.test")
        .max_connections(1)
        .connector(in_memory(server.entrance(), bytes))
}

fn timed(message: TestRequest, deadline: Duration) -> Request<TestRequest> {
    let mut request = Request::new(message);
    request.set_timeout(deadline);
    request
}

fn large() -> TestRequest {
    TestRequest {
        payload: vec![7; 1 << 20],
        script: None,
    }
}

/// Checks that the pool has no call and so many connections.
async fn check_left(pool: &Pool, connections: usize) {
    // A call that was cut short gives its slot back with the next turn of its connection's task.
    sleep(Duration::from_millis(1)).await;
    let stats = pool.stats();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0), "{stats}");
    assert_eq!(stats.connections.len(), connections, "{stats}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_accepts_and_says_nothing_costs_few_dials_and_every_call_ends_in_time() {
    const DEADLINE: Duration = Duration::from_millis(500);
    let server = FaultServer::start(cases::silent).await;
    let pool = pool(&server, PIPE)
        .connect_timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let client = Client::new(pool.clone());
    let mut calls = JoinSet::new();
    for _ in 0..450 {
        let client = client.clone();
        calls.spawn(async move {
            let began = Instant::now();
            let status = client.unary(timed(echo(), DEADLINE)).await.unwrap_err();
            (began.elapsed(), status)
        });
        sleep(Duration::from_millis(20)).await;
    }
    let dials = server.stats().connections_total;
    assert!((2..=5).contains(&dials), "{dials} dials in nine seconds");
    for (took, status) in calls.join_all().await {
        assert!(took <= DEADLINE + Duration::from_millis(1), "{took:?}: {status:?}");
        assert!(
            [Code::DeadlineExceeded, Code::Unavailable].contains(&status.code()),
            "{status:?}"
        );
        assert_eq!(facts(&status), (Some(Phase::Connecting), false, 0), "{status:?}");
    }
    check_left(&pool, 0).await;
    pool.shutdown(Duration::ZERO).await;
    assert_eq!(pool.stats().dialing, 0);
    server.until(|stats| stats.connections_now == 0).await;
}

/// Checks that the first dial ends after the default of 20 s in the named phase, that a call with more time than that
/// is told so, and that the next one is served when the backoff has passed.
async fn check_stalled_dial(server: FaultServer, pool: Builder, phase: &str) {
    let pool = pool.build().unwrap();
    let client = Client::new(pool.clone());
    let began = Instant::now();
    let status = client.unary(timed(echo(), LONG)).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 20, "{phase}: {status:?}");
    assert_eq!(status.code(), Code::Unavailable, "{phase}: {status:?}");
    assert_eq!(
        facts(&status),
        (Some(Phase::Connecting), false, 0),
        "{phase}: {status:?}"
    );
    let error = Error::of(&status).unwrap();
    assert!(error.is_connect() && error.is_timeout(), "{phase}: {status:?}");
    assert!(
        status.message().contains(&format!("{phase} timed out after 20s")),
        "{phase}: {status:?}"
    );
    server.until(|stats| stats.connections_now == 0).await;
    sleep(Backoff::default().base * 2).await;
    client.unary(timed(echo(), LONG)).await.unwrap();
    check_left(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn settings_that_never_come_are_a_failed_dial() {
    let silent = FaultServer::start(|conn: Conn| then_serves(conn, cases::silent)).await;
    let withheld = FaultServer::start(|conn: Conn| then_serves(conn, cases::settings_withheld)).await;
    // Half of a SETTINGS frame is none, and PINGs are no SETTINGS.
    let partial = FaultServer::start(|conn: Conn| {
        then_serves(conn, |mut conn| async move {
            conn.send_raw(&[0, 0, 6, kind::SETTINGS, 0, 0, 0, 0, 0, 0, 3, 0])
                .await?;
            conn.withhold_acks();
            conn.until_closed().await
        })
    })
    .await;
    for server in [silent, withheld, partial] {
        let pool = pool(&server, PIPE);
        check_stalled_dial(server, pool, "the HTTP/2 handshake").await;
    }
}

mod tls {
    //! The same behind TLS.

    use pool_runtime::TlsConfig;
    use tests::tls::Authority;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    const TLS_PIPE: usize = 64 << 10;

    /// How a server's TLS goes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Hello {
        /// Not a byte.
        Nothing,
        /// The head of a record, and no more of it.
        HalfARecord,
        /// In full.
        Whole,
    }

    /// The first transport's TLS goes as told, that of the others in full; HTTP/2 is as the server's script has it.
    fn over_tls(
        entrance: Entrance,
        authority: &Authority,
        alpn: &'static [&'static str],
        hello: Hello,
    ) -> impl Connector {
        let acceptor = authority.acceptor(alpn);
        let dials = Arc::new(AtomicUsize::new(0));
        move |_: Target| {
            let (ours, mut theirs) = duplex(TLS_PIPE);
            let (acceptor, entrance) = (acceptor.clone(), entrance.clone());
            let hello = match dials.fetch_add(1, Relaxed) {
                0 => hello,
                _ => Hello::Whole,
            };
            tokio::spawn(async move {
                if hello == Hello::Whole {
                    if let Ok(stream) = acceptor.accept(theirs).await {
                        entrance.take(stream);
                    }
                    return;
                }
                if hello == Hello::HalfARecord {
                    let _ = theirs.write_all(&[22, 3, 3, 0, 100, 2]).await;
                }
                // Until the client gives up.
                let _ = tokio::io::copy(&mut theirs, &mut tokio::io::sink()).await;
            });
            std::future::ready(io::Result::Ok(ours))
        }
    }

    fn pool(server: &FaultServer, alpn: &'static [&'static str], hello: Hello) -> Builder {
        let authority = Authority::new();
        Pool::builder("https://localhost")
            .max_connections(1)
            .connector(over_tls(server.entrance(), &authority, alpn, hello))
            .tls(TlsConfig::new().ca_certificate(authority.certificate()))
    }

    #[tokio::test(start_paused = true)]
    async fn tls_that_stalls_is_a_failed_dial_that_names_its_stage() {
        for hello in [Hello::Nothing, Hello::HalfARecord] {
            let server = FaultServer::start(|mut conn: Conn| async move {
                conn.handshake(&[]).await?;
                conn.serve().await
            })
            .await;
            let pool = pool(&server, &["h2"], hello);
            check_stalled_dial(server, pool, "the TLS handshake").await;
        }
        let server = FaultServer::start(|conn: Conn| then_serves(conn, cases::silent)).await;
        let pool = pool(&server, &["h2"], Hello::Whole);
        check_stalled_dial(server, pool, "the HTTP/2 handshake").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_agree_to_h2_is_told_from_one_that_stalls() {
        for alpn in [&[][..], &["http/1.1"]] {
            let server = FaultServer::start(cases::silent).await;
            let client = Client::new(pool(&server, alpn, Hello::Whole).build().unwrap());
            let began = Instant::now();
            let status = client.unary(timed(echo(), LONG)).await.unwrap_err();
            assert_eq!(began.elapsed().as_secs(), 0, "{alpn:?}: {status:?}");
            assert_eq!(status.code(), Code::Unavailable, "{alpn:?}: {status:?}");
            let error = Error::of(&status).unwrap();
            assert!(error.is_connect() && !error.is_timeout(), "{alpn:?}: {status:?}");
            assert!(status.message().contains("the TLS handshake"), "{alpn:?}: {status:?}");
            check_left(client.pool(), 0).await;
        }
    }
}

/// Takes the transport as soon as the first request has begun, and reads no more.
async fn reads_no_more(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    conn.withhold_windows();
    let first = conn.next_request().await?;
    conn.reply(&first).await?;
    std::future::pending().await
}

/// Fills up the pipe to a peer that reads no more: a call whose body does not fit, and one of each other shape.
async fn check_deadlines_hold(client: &Client) {
    const DEADLINE: Duration = Duration::from_secs(3);
    let began = Instant::now();
    let status = |result: Result<(), Status>| {
        let status = result.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
        assert!(
            began.elapsed() < DEADLINE + Duration::from_millis(10),
            "{:?}",
            began.elapsed()
        );
    };
    let mut stream = Request::new(endless());
    stream.set_timeout(DEADLINE);
    let mut both_ways = Request::new(endless());
    both_ways.set_timeout(DEADLINE);
    let (a, b, c, d, e) = tokio::join!(
        client.unary(timed(large(), DEADLINE)),
        client.unary(timed(echo(), DEADLINE)),
        client.server_stream(timed(echo(), DEADLINE)),
        client.client_stream(stream),
        client.bidi(both_ways),
    );
    status(a.map(drop));
    status(b.map(drop));
    status(c.map(drop));
    status(d.map(drop));
    status(e.map(drop));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_fails_calls_at_their_deadline_and_holds_up_no_close() {
    for grace in [Duration::ZERO, Duration::from_secs(5)] {
        let server = FaultServer::start(reads_no_more).await;
        let pool = pool(&server, PIPE).build().unwrap();
        let client = Client::new(pool.clone());
        client.unary(echo()).await.unwrap();
        check_deadlines_hold(&client).await;
        check_left(&pool, 1).await;
        let began = Instant::now();
        let report = pool.shutdown(grace).await;
        assert!(
            began.elapsed() <= grace + Duration::from_millis(10),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(report.cut, 0);
        check_left(&pool, 0).await;
        assert_eq!(tasks(), SERVERS_TASKS);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_to_a_peer_that_does_not_read_is_let_go_of_when_it_is_recycled() {
    type Setting = fn(Builder) -> Builder;
    let rows: [(CloseReason, Setting); 2] = [
        (CloseReason::Idle, |pool| pool.idle_timeout(Duration::from_secs(30))),
        (CloseReason::Lifetime, |pool| {
            pool.max_lifetime(Duration::from_secs(30)).max_lifetime_jitter(0.0)
        }),
    ];
    for (reason, setting) in rows {
        let server = FaultServer::start(|conn: Conn| then_serves(conn, reads_no_more)).await;
        // Before the PING for which it is doubted is overdue.
        let (builder, seen) = Seen::by(setting(pool(&server, PIPE)).keep_alive_timeout(LONG));
        let pool = builder.build().unwrap();
        let client = Client::new(pool.clone());
        client.unary(echo()).await.unwrap();
        check_deadlines_hold(&client).await;
        assert_eq!(seen.closed(), []);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(seen.closed(), [reason]);
        check_left(&pool, 0).await;
        assert_eq!(tasks(), SERVERS_TASKS);
        client.unary(echo()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_is_sent_to_a_peer_that_does_not_read() {
    let server = FaultServer::start(|conn: Conn| then_serves(conn, reads_no_more)).await;
    let (builder, seen) = Seen::by(pool(&server, PIPE));
    let client = Client::new(builder.build().unwrap());
    client.unary(echo()).await.unwrap();
    // Its frames are left in h2, so the next calls go elsewhere.
    let status = client
        .unary(timed(large(), Duration::from_millis(10)))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    // For a second, it may just be slow.
    sleep(Duration::from_secs(1)).await;
    for _ in 0..100 {
        let reply = client.unary(timed(echo(), Duration::from_secs(1))).await.unwrap();
        assert_eq!(reply.into_inner().connection, 1);
    }
    assert_eq!(seen.draining(), []);
    sleep(Duration::from_secs(21)).await;
    assert_eq!(seen.closed(), [CloseReason::KeepAlive]);
    check_left(client.pool(), 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_replaced_without_keepalive() {
    for deadline in [50, 250, 2_000] {
        let deadline = Duration::from_millis(deadline);
        let server = FaultServer::start(falls_silent).await;
        let (builder, seen) = Seen::by(pool(&server, PIPE << 4));
        let client = Client::new(builder.build().unwrap());
        client.unary(echo()).await.unwrap();
        let began = Instant::now();
        while client.unary(timed(echo(), deadline)).await.is_err() {
            // A second of silence, and a moment for the PING. None is sent before a call has failed.
            assert!(
                began.elapsed() < Duration::from_millis(1_500) + deadline,
                "{deadline:?}"
            );
        }
        for _ in 0..50 {
            client.unary(timed(echo(), deadline)).await.unwrap();
        }
        sleep(Duration::from_secs(21)).await;
        assert_eq!(seen.closed(), [CloseReason::KeepAlive]);
        check_left(client.pool(), 1).await;
    }
}

/// A server that is slow answers the PING, and keeps its connection.
#[tokio::test(start_paused = true)]
async fn a_slow_server_keeps_its_connection() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.withhold_windows();
        conn.until_closed().await
    })
    .await;
    let (builder, seen) = Seen::by(pool(&server, PIPE << 4));
    let client = Client::new(builder.build().unwrap());
    for _ in 0..20 {
        client.unary(timed(echo(), Duration::from_secs(2))).await.unwrap_err();
    }
    assert_eq!(
        (server.stats().connections_total, server.stats().streams_total),
        (1, 20)
    );
    let frames = &server.stats().connections[0].frames;
    let pings = frames.iter().filter(|frame| frame.is(kind::PING)).count();
    assert!((1..=5).contains(&pings), "{pings} PINGs in 40 seconds of silence");
    assert_eq!(seen.closed(), []);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_protocol_and_does_not_read_is_let_go_of() {
    let server = FaultServer::start(|conn: Conn| {
        then_serves(conn, |mut conn| async move {
            conn.handshake(&[]).await?;
            let first = conn.next_request().await?;
            conn.reply(&first).await?;
            // The next request has filled up the pipe by then.
            sleep(Duration::from_secs(1)).await;
            conn.send_raw(&[0, 0, 1, kind::DATA, 0, 0, 0, 0, 0, 7]).await?;
            std::future::pending().await
        })
    })
    .await;
    let (builder, seen) = Seen::by(pool(&server, PIPE));
    let pool = builder.build().unwrap();
    let client = Client::new(pool.clone());
    client.unary(echo()).await.unwrap();
    let began = Instant::now();
    let status = client.unary(timed(large(), LONG)).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 1, "{status:?}");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
    let reply = client.unary(echo()).await.unwrap().into_inner();
    assert_eq!(reply.connection, 1);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(seen.closed(), [CloseReason::Lost]);
    check_left(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_before_the_request_was_read_fails_the_call_once() {
    let server = FaultServer::start(|conn: Conn| {
        then_serves(conn, |mut conn| async move {
            conn.handshake(&[]).await?;
            let first = conn.next_request().await?;
            conn.reply(&first).await?;
            // The next request is in the pipe by then, and stays there.
            sleep(Duration::from_secs(1)).await;
            conn.abort()
        })
    })
    .await;
    let pool = pool(&server, PIPE).build().unwrap();
    let client = Client::new(pool.clone());
    client.unary(echo()).await.unwrap();
    let status = client.unary(timed(echo(), LONG)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
    assert_eq!(client.unary(echo()).await.unwrap().into_inner().connection, 1);
    check_left(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_connections_window_that_is_used_up_holds_calls_to_their_deadline_and_no_longer() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[(setting::INITIAL_WINDOW_SIZE, 2 << 20)]).await?;
        conn.withhold_windows();
        // A mebibyte is wanted; on the connection 65,535 bytes are allowed, whatever the stream's window.
        conn.read_until(|frame| frame.is(kind::RST_STREAM)).await?;
        let starved = conn.next_opened().await?;
        conn.read_until(|frame| frame.is(kind::RST_STREAM)).await?;
        conn.window_update(0, 1 << 30).await?;
        assert!(starved.body.len() <= 65_535);
        conn.serve().await
    })
    .await;
    let pool = pool(&server, 1 << 20).build().unwrap();
    let client = Client::new(pool.clone());
    for message in [large(), echo()] {
        let began = Instant::now();
        let status = client.unary(timed(message, Duration::from_secs(1))).await.unwrap_err();
        assert_eq!(began.elapsed().as_secs(), 1, "{status:?}");
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
        check_left(&pool, 1).await;
    }
    // What the calls that were cancelled had of the window is the next one's.
    for message in [large(), echo()] {
        client.unary(timed(message, Duration::from_secs(1))).await.unwrap();
    }
    check_left(&pool, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_floods_and_does_not_read_the_answers_is_not_read_either() {
    let sent = Arc::new(AtomicUsize::new(0));
    let server = FaultServer::start({
        let sent = sent.clone();
        move |mut conn: Conn| {
            let sent = sent.clone();
            async move {
                conn.handshake(&[]).await?;
                let first = conn.next_request().await?;
                conn.reply(&first).await?;
                loop {
                    conn.send_ping([7; 8]).await?;
                    sent.fetch_add(1, Relaxed);
                }
            }
        }
    })
    .await;
    let pool = pool(&server, PIPE).build().unwrap();
    let client = Client::new(pool.clone());
    client.unary(echo()).await.unwrap();
    let status = client.unary(timed(echo(), Duration::from_secs(5))).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    // Two pipes of 17 bytes a PING, and what h2 holds of either.
    let pings = sent.load(Relaxed);
    assert!((1..10_000).contains(&pings), "{pings} PINGs were taken");
    check_left(&pool, 1).await;
    let began = Instant::now();
    pool.shutdown(Duration::from_secs(2)).await;
    assert!(began.elapsed() <= Duration::from_millis(2_010), "{:?}", began.elapsed());
    check_left(&pool, 0).await;
}
