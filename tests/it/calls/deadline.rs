//! Deadlines: which one holds, what it covers, and what it is called when it has passed (R21, R22).

use std::future::Future;
use std::time::{Duration, Instant};

use pool_runtime::{Error, Phase, Pool, pooled_client};
use tests::fault::{Conn, FaultServer, cases};
use tests::pb::test_service_client::TestServiceClient;
use tests::pb::{Script, TestRequest};
use tests::server::TestServer;
use tests::within;
use tonic::{Code, Request, Status};

use super::{Client, client, connected, echo, facts, hanging, idle, one_slot, pool, scripted};

#[pooled_client(
    tests::pb::test_service_client::TestServiceClient,
    deadline = "20s",
    unary(deadline = "10s"),
    bidi(deadline = "15s")
)]
struct Timed;

#[pooled_client(
    tests::pb::test_service_client::TestServiceClient,
    deadline = "none",
    read(deadline = "5s")
)]
struct Untimed;

#[pooled_client(tests::pb::test_service_client::TestServiceClient, unary(deadline = "none"))]
struct PartlyTimed;

const SHORT: Duration = Duration::from_millis(400);

fn timed(message: TestRequest, timeout: Duration) -> Request<TestRequest> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// Checks that the server was told of `seconds`, or of no timeout.
#[track_caller]
fn check_told(told: Option<u64>, seconds: Option<u64>, what: &str) {
    let told_seconds = told.map(|ms| ms.div_ceil(1_000));
    assert_eq!(told_seconds, seconds, "{what}: the server was told {told:?} ms");
}

/// What the server is told of each shape's deadline: unary, read, server stream, client stream, bidi.
macro_rules! told {
    ($client:expr, $timeout:expr) => {{
        let client = $client;
        let timeout: Option<u64> = $timeout;
        let seconds = timeout.map(Duration::from_secs);
        let one = || {
            let script = Script {
                replies: 1,
                ..Script::default()
            };
            let mut request = Request::new(scripted(script));
            seconds.map(|seconds| request.set_timeout(seconds));
            request
        };
        let many = || {
            let mut request = Request::new(tokio_stream::iter([echo()]));
            seconds.map(|seconds| request.set_timeout(seconds));
            request
        };
        let mut replies = client.server_stream(one()).await.unwrap().into_inner();
        let mut echoes = client.bidi(many()).await.unwrap().into_inner();
        [
            client.unary(one()).await.unwrap().into_inner().timeout_ms,
            client.read(one()).await.unwrap().into_inner().timeout_ms,
            replies.message().await.unwrap().unwrap().timeout_ms,
            client.client_stream(many()).await.unwrap().into_inner().timeout_ms,
            echoes.message().await.unwrap().unwrap().timeout_ms,
        ]
    }};
}

#[tokio::test]
async fn the_smallest_of_the_stated_deadlines_holds_and_the_default_is_for_unary_calls() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let seven = Pool::builder(server.uri())
        .deadline(Duration::from_secs(7))
        .build()
        .unwrap();
    let never = Pool::builder(server.uri()).deadline(None).build().unwrap();
    let plain = || TestServiceClient::new(pool.clone());
    let (s, none) = (|seconds| Some(seconds), None);
    let rows = [
        (
            "defaults",
            told!(Client::new(pool.clone()), None),
            [s(30), s(30), none, none, none],
        ),
        ("a call's own", told!(Client::new(pool.clone()), s(60)), [s(60); 5]),
        (
            "pool's own",
            told!(Client::new(seven), None),
            [s(7), s(7), none, none, none],
        ),
        ("pool without", told!(Client::new(never), None), [none; 5]),
        (
            "client's",
            told!(Client::new(pool.clone()).with_deadline(Duration::from_secs(3)), None),
            [s(3); 5],
        ),
        (
            "client's and RPCs'",
            told!(Timed::new(pool.clone()), None),
            [s(10), s(20), s(20), s(20), s(15)],
        ),
        (
            "and a longer call's",
            told!(Timed::new(pool.clone()), s(60)),
            [s(10), s(20), s(20), s(20), s(15)],
        ),
        ("and a shorter call's", told!(Timed::new(pool.clone()), s(4)), [s(4); 5]),
        (
            "none, and an RPC's",
            told!(Untimed::new(pool.clone()), None),
            [none, s(5), none, none, none],
        ),
        (
            "none, and a call's",
            told!(Untimed::new(pool.clone()), s(9)),
            [s(9), s(5), s(9), s(9), s(9)],
        ),
        (
            "none for one RPC",
            told!(PartlyTimed::new(pool.clone()), None),
            [none, s(30), none, none, none],
        ),
        ("plain tonic", told!(&mut plain(), None), [none; 5]),
        ("plain tonic with a call's", told!(&mut plain(), s(8)), [s(8); 5]),
    ];
    for (what, told, expected) in rows {
        for (shape, (told, expected)) in told.into_iter().zip(expected).enumerate() {
            check_told(told, expected, &format!("{what}, shape {shape}"));
        }
    }
}

/// Checks a call that runs out of its time in `phase`; returns how often it was made. On a slow machine it may not get
/// that far: then it is made again with twice the time.
async fn check_exceeded(call: impl AsyncFn(Duration) -> Result<(), Status>, phase: Phase, was_sent: bool) -> usize {
    const MOST_TIMES: usize = 5;
    for times in 1..=MOST_TIMES {
        let deadline = SHORT * (1 << (times - 1));
        let began = Instant::now();
        let status = within("the deadline", call(deadline)).await.unwrap_err();
        assert!(began.elapsed() >= deadline / 2, "{:?}", began.elapsed());
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        assert!(Error::of(&status).unwrap().is_timeout());
        let named = format!("deadline of {deadline:?}");
        assert!(status.message().contains(&named), "{status:?}");
        if facts(&status).0 == Some(phase) || times == MOST_TIMES {
            assert_eq!(facts(&status), (Some(phase), was_sent, was_sent.into()), "{status:?}");
            return times;
        }
    }
    unreachable!("the last time returns")
}

#[tokio::test]
async fn a_deadline_covers_the_wait_for_a_slot() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    let client = Client::new(pool.clone());
    let held = client.server_stream(hanging(1)).await.unwrap();
    check_exceeded(
        async |deadline| client.unary(timed(echo(), deadline)).await.map(drop),
        Phase::Waiting,
        false,
    )
    .await;
    assert_eq!((pool.stats().waiting, server.stats().streams_total), (0, 1));
    drop(held);
    client.unary(echo()).await.unwrap();
}

#[tokio::test]
async fn a_deadline_covers_the_dial() {
    for server in [
        FaultServer::start(cases::silent).await,
        FaultServer::start(cases::settings_withheld).await,
    ] {
        let client = client(server.uri());
        check_exceeded(
            async |deadline| client.unary(timed(echo(), deadline)).await.map(drop),
            Phase::Connecting,
            false,
        )
        .await;
        idle(client.pool()).await;
        assert_eq!(server.stats().streams_total, 0);
    }
}

#[tokio::test]
async fn a_deadline_covers_the_wait_for_the_response() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let times = check_exceeded(
        async |deadline| client.unary(timed(hanging(0), deadline)).await.map(drop),
        Phase::Requesting,
        true,
    )
    .await;
    server
        .until(|stats| stats.streams_now == 0 && stats.cancelled == times)
        .await;
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_deadline_covers_the_response_to_its_last_byte() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let trickle = scripted(Script {
        replies: 1_000_000,
        interval_ms: 5,
        ..Script::default()
    });
    let mut times = 0;
    for message in [hanging(2), trickle] {
        times += check_exceeded(
            async |deadline| {
                let request = timed(message.clone(), deadline);
                let mut replies = client.server_stream(request).await?.into_inner();
                while replies.message().await?.is_some() {}
                Ok(())
            },
            Phase::Responding,
            true,
        )
        .await;
    }
    server
        .until(|stats| stats.streams_now == 0 && stats.cancelled == times)
        .await;
    idle(client.pool()).await;

    // A unary call too, whose response begins and does not end.
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let request = conn.next_request().await?;
            cases::respond_up_to(&mut conn, &request, cases::At::AfterMessage).await?;
        }
    })
    .await;
    let client = connected(server.uri()).await;
    let times = check_exceeded(
        async |deadline| client.unary(timed(echo(), deadline)).await.map(drop),
        Phase::Responding,
        true,
    )
    .await;
    server.until(|stats| stats.cancelled == times).await;
    idle(client.pool()).await;
}

#[tokio::test]
async fn a_deadline_holds_for_a_response_that_always_has_more() {
    let server = TestServer::start().await;
    let client = connected(server.uri()).await;
    let flood = scripted(Script {
        replies: 100_000_000,
        reply_size: 1,
        ..Script::default()
    });
    check_exceeded(
        async |deadline| {
            let request = timed(flood.clone(), deadline);
            let mut replies = client.server_stream(request).await?.into_inner();
            while replies.message().await?.is_some() {
                // Slower than the server, so that the next reply is there already.
                std::thread::sleep(Duration::from_micros(200));
                tokio::task::yield_now().await;
            }
            Ok(())
        },
        Phase::Responding,
        true,
    )
    .await;
    server.until(|stats| stats.streams_now == 0).await;
}

#[tokio::test]
async fn what_is_left_of_a_deadline_after_waiting_goes_out() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    let client = Client::new(pool.clone());
    let slow = scripted(Script {
        delay_ms: 300,
        ..Script::default()
    });
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.unary(slow).await }
    });
    server.until(|stats| stats.streams_now == 1).await;
    let reply = client.unary(timed(echo(), Duration::from_secs(20))).await.unwrap();
    let told = reply.into_inner().timeout_ms.unwrap();
    assert!((1..19_900).contains(&told), "{told} ms");
    first.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_deadline_of_zero_sends_nothing() {
    let server = TestServer::start().await;
    let connected = connected(server.uri()).await;
    for client in [connected.clone(), client(server.uri())] {
        for message in [echo(), hanging(0)] {
            let status = client.unary(timed(message, Duration::ZERO)).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded);
            let (_, was_sent, attempts) = facts(&status);
            assert_eq!((was_sent, attempts), (false, 0));
        }
    }
    // The connection is there: what would have been sent has been seen once a later call is.
    connected.unary(echo()).await.unwrap();
    assert_eq!(server.stats().streams_total, 1);
}

#[tokio::test]
async fn a_deadline_that_passed_before_the_turn_came_sends_nothing() {
    let server = TestServer::start().await;
    let lease = pool(server.uri()).acquire().await.unwrap();
    let mut client = TestServiceClient::new(lease);
    let held = client.server_stream(hanging(1)).await.unwrap();
    let mut call = Box::pin(client.unary(timed(echo(), SHORT)));
    poll_once(&mut call).await;
    // The turn comes, and then the deadline passes, while nobody looks: the turn is what is seen first.
    drop(held);
    tokio::time::sleep(SHORT).await;
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(facts(&status), (Some(Phase::Waiting), false, 0));
    assert_eq!(server.stats().streams_total, 1);
}

#[tokio::test]
async fn a_reset_with_which_the_server_keeps_the_deadline_is_the_deadline() {
    for at in [cases::At::Start, cases::At::AfterHeaders] {
        let server = FaultServer::start(cases::rst(at, h2::Reason::CANCEL)).await;
        let client = connected(server.uri()).await;
        let mut call = Box::pin(client.unary(timed(echo(), SHORT)));
        poll_once(&mut call).await;
        server
            .until(|stats| stats.streams_total == 1 && stats.streams_now == 0)
            .await;
        // Once a later answer has come, so has the reset.
        client.read(echo()).await.unwrap();
        tokio::time::sleep(SHORT).await;
        let status = call.await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
        idle(client.pool()).await;

        // Before its time, it is what it says.
        let status = client.unary(timed(echo(), 100 * SHORT)).await.unwrap_err();
        assert_eq!(status.code(), Code::Cancelled, "{status:?}");
    }
}

/// Starts `call`, which is not to end yet, and leaves it alone.
async fn poll_once<T: std::fmt::Debug>(call: &mut (impl Future<Output = T> + Unpin)) {
    tokio::select! {
        biased;
        result = call => panic!("{result:?}"),
        () = tokio::task::yield_now() => {}
    }
}
