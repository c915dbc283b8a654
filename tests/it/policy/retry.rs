//! Attempts one after the other: which failures are retried, what the server sees, and what the caller gets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use h2::Reason;
use pool_runtime::__private::{Attempts, Codes, RetryPolicy};
use pool_runtime::{Builder, Error, Phase, Pool, pooled_client};
use tests::fault::{Conn, FaultServer};
use tests::pb::{Failure, Script, TestRequest};
use tests::server::TestServer;
use tests::within;
use tokio::time::Instant;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Response};

use super::Step::{Cut, Fail, FailLate, Http, PushBack, Reply, Reset};
use super::{
    Client, Extra, NEVER, echo, failing, failing_first, hedge, pool, pool_in_memory, pool_of, previous, retry,
    retry_after, scripted, steps,
};
use crate::calls::{endless, eventually, facts, idle, no_more_tasks_than, one_slot, tasks};

const MS: fn(u64) -> Duration = Duration::from_millis;

#[tokio::test]
async fn a_call_of_every_shape_is_retried_until_it_succeeds() {
    let (unary, tonic, server_stream, client_stream, bidi) = (1, 2, 3, 4, 5);
    for shape in [unary, tonic, server_stream, client_stream, bidi] {
        let server = TestServer::start().await;
        let pool = pool_of(&server);
        let client = Client::new(&pool, retry(3));
        let request = scripted(Script {
            replies: 1,
            ..failing(2, Code::Unavailable)
        });
        let reply = if shape == unary {
            client.unary(request).await.unwrap().into_inner()
        } else if shape == tonic {
            client.unary_by_tonic(request).await.unwrap().into_inner()
        } else if shape == client_stream {
            let requests = tokio_stream::iter([request, echo()]);
            client.client_stream(requests).await.unwrap().into_inner()
        } else {
            let mut replies = if shape == server_stream {
                client.server_stream(request).await.unwrap().into_inner()
            } else {
                use tokio_stream::StreamExt;
                // Its request is still open when the first attempts fail.
                let requests = tokio_stream::once(request).chain(endless());
                client.bidi(requests).await.unwrap().into_inner()
            };
            replies.message().await.unwrap().unwrap()
        };
        assert_eq!((reply.attempt, reply.previous_attempts), (3, Some(2)), "{shape}");
        assert!(reply.payload.starts_with(b"payload"), "{shape}");
        assert_eq!(server.stats().streams_total, 3, "{shape}");
        assert_eq!(pool.stats().retried, 2, "{shape}");
        idle(&pool).await;
    }
}

#[tokio::test]
async fn attempts_end_with_the_policy_and_the_servers_word_is_kept() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let script = Script {
        trailers: [("x-why".to_owned(), "told".to_owned())].into(),
        ..failing(0, Code::Unavailable)
    };
    let client = Client::new(&pool, retry(3));
    for (calls, by_tonic) in [(1, false), (2, true)] {
        let status = match by_tonic {
            false => client.unary(scripted(script.clone())).await.unwrap_err(),
            true => client.unary_by_tonic(scripted(script.clone())).await.unwrap_err(),
        };
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "as told"));
        assert_eq!(status.metadata().get("x-why").unwrap(), "told");
        let error = Error::of(&status).unwrap();
        assert!(error.is_answer());
        assert_eq!(facts(&status), (Some(Phase::Responding), true, 3));
        assert_eq!(server.stats().streams_total, 3 * calls);
    }
    idle(&pool).await;
}

#[tokio::test]
async fn what_the_policy_does_not_name_is_not_retried() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let client = Client::new(&pool, retry(3));
    let status = client.unary(failing_first(0, Code::Aborted)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "as told"));
    assert!(
        Error::of(&status).is_none(),
        "a server's word alone has no error of the pool in it"
    );
    assert_eq!((server.stats().streams_total, pool.stats().retried), (1, 0));
}

#[tokio::test]
async fn the_server_is_told_of_the_attempts_before_but_not_of_replays() {
    let refused = Reset(Reason::REFUSED_STREAM);
    let (server, log) = steps([refused, Fail(Code::Unavailable), Fail(Code::Unavailable), Reply]).await;
    let pool = pool(server.uri());
    Client::new(&pool, retry(3)).unary(echo()).await.unwrap();
    assert_eq!(log.previous(), previous([0, 0, 1, 2]));
    assert_eq!((pool.stats().retried, pool.stats().replayed), (2, 1));
    assert!(
        pool.stats()
            .to_string()
            .ends_with("extra attempts: 2 retries, 0 hedges, 1 replays")
    );
    idle(&pool).await;
}

/// gRFC A6: the second refusal of a call is handled by its policy.
#[tokio::test]
async fn a_second_refusal_is_an_attempt() {
    let refused = Reset(Reason::REFUSED_STREAM);
    let (server, log) = steps([refused, refused, refused, Reply]).await;
    let pool = pool(server.uri());
    Client::new(&pool, retry(3)).unary(echo()).await.unwrap();
    assert_eq!(log.previous(), previous([0, 0, 1, 2]));
    assert_eq!((pool.stats().retried, pool.stats().replayed), (2, 1));
}

#[tokio::test]
async fn a_response_that_has_begun_is_not_retried() {
    let (server, log) = steps([FailLate(Code::Unavailable)]).await;
    let pool = pool(server.uri());
    let client = Client::new(&pool, retry(3));
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "as told"));
    assert_eq!(log.len(), 1);

    let server = TestServer::start().await;
    let client = Client::new(&pool_of(&server), retry(3));
    let failure = Failure {
        after: 1,
        code: Code::Unavailable.into(),
        ..Failure::default()
    };
    let script = Script {
        replies: 1,
        failure: Some(failure),
        ..Script::default()
    };
    let mut replies = client.server_stream(scripted(script)).await.unwrap().into_inner();
    replies.message().await.unwrap().unwrap();
    assert_eq!(replies.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(server.stats().streams_total, 1);
}

#[tokio::test]
async fn what_comes_in_place_of_a_response_is_retried() {
    let unavailable = Http("503");
    let (server, log) = steps([unavailable, Reset(Reason::ENHANCE_YOUR_CALM), Cut, Reply]).await;
    let pool = pool(server.uri());
    let client = Client::new(&pool, retry(3));
    // ENHANCE_YOUR_CALM is RESOURCE_EXHAUSTED, which the policy does not name.
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 2));
    assert_eq!(log.previous(), previous([0, 1]));
    // A connection that is lost is UNAVAILABLE.
    client.unary(echo()).await.unwrap();
    assert_eq!(log.previous(), previous([0, 1, 0, 1]));
    idle(&pool).await;
}

#[tokio::test]
async fn a_lost_connection_is_not_retried_without_a_policy_that_says_so() {
    let (server, log) = steps([Cut, Cut]).await;
    let pool = pool(server.uri());
    let status = crate::calls::Client::new(pool.clone()).unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::Unavailable, 1));
    let status = Client::new(&pool, retry(1)).unary(echo()).await.unwrap_err();
    assert_eq!((status.code(), log.len()), (Code::Unavailable, 2));
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1));
}

#[tokio::test]
async fn a_request_that_still_streams_is_taken_back_for_the_retry() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let client = Client::new(&pool, retry(2));
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let call = tokio::spawn({
        let client = client.clone();
        async move {
            let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
            client.client_stream(requests).await
        }
    });
    // The server fails the first attempt as soon as it has the first message.
    sender.send(failing_first(1, Code::Unavailable)).await.unwrap();
    server.until(|stats| stats.streams_total == 2).await;
    sender.send(echo()).await.unwrap();
    drop(sender);
    let reply = within("the reply", call).await.unwrap().unwrap().into_inner();
    assert_eq!(
        (reply.attempt, reply.received, &reply.payload[..]),
        (2, 2, &b"payloadpayload"[..])
    );
    idle(&pool).await;
}

/// A request stream with an oversize message between two others. That comes so many turns of the task after the server
/// has failed the call.
fn oversize_in_between(failed: Arc<AtomicBool>, turns: u32) -> impl Stream<Item = TestRequest> + Send + 'static {
    let large = async move {
        while !failed.load(Relaxed) {
            tokio::task::yield_now().await;
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        TestRequest {
            payload: vec![0; 2_000],
            script: None,
        }
    };
    let large = tokio_stream::once(Box::pin(large)).then(|large| large);
    tokio_stream::once(echo())
        .chain(large)
        .chain(tokio_stream::once(echo()))
}

#[tokio::test]
async fn a_request_that_fails_is_never_retried_without_what_it_failed_with() {
    for turns in 0..20 {
        let failed = Arc::new(AtomicBool::new(false));
        let seen = failed.clone();
        let server = FaultServer::start(move |mut conn: Conn| {
            let failed = seen.clone();
            async move {
                conn.handshake(&[]).await?;
                let first = conn.next_opened().await?.stream;
                conn.fail(first, Code::Unavailable, "as told").await?;
                failed.store(true, Relaxed);
                conn.serve().await
            }
        })
        .await;
        let pool = Pool::builder(server.uri()).max_connections(1).build().unwrap();
        let mut client = Client::new(&pool, retry(2));
        client.calls = client.calls.max_encoding_message_size(1_000);
        let call = tokio::spawn(async move { client.client_stream(oversize_in_between(failed, turns)).await });
        let answer = within("the call", call).await.unwrap();
        assert!(answer.is_err(), "{turns} turns: {answer:?}");
        idle(&pool).await;
    }
}

#[tokio::test]
async fn a_request_that_outgrew_its_buffer_is_not_retried() {
    let server = TestServer::start().await;
    let client = Client::new(&pool_of(&server), retry(2));
    // Fails when all has been read; the bound is 256 KiB.
    let first = |key: &str| TestRequest {
        payload: Vec::new(),
        script: Some(Script {
            key: key.to_owned(),
            failure: Some(Failure {
                code: Code::Unavailable.into(),
                message: String::new(),
                after: 1,
            }),
            ..failing(1, Code::Unavailable)
        }),
    };
    let rest = |messages| {
        let message = TestRequest {
            payload: vec![7; 50_000],
            script: None,
        };
        vec![message; messages]
    };
    for (messages, attempts) in [(4, Some(2)), (10, None)] {
        let before = server.stats().streams_total;
        let requests = [vec![first(&messages.to_string())], rest(messages)].concat();
        let reply = client.client_stream(tokio_stream::iter(requests)).await;
        assert_eq!(reply.ok().map(|reply| reply.into_inner().attempt), attempts);
        let streams = server.stats().streams_total - before;
        assert_eq!(streams, attempts.unwrap_or(1) as usize, "{messages} messages");
    }
}

#[tokio::test]
async fn a_pushback_is_followed_to_the_millisecond() {
    let (server, log) = steps([PushBack("7"), Fail(Code::Unavailable), PushBack("0"), Reply]).await;
    let extra = Extra::default();
    let pool = extra.watch(Pool::builder(server.uri())).build().unwrap();
    let client = Client::new(&pool, retry_after(5, MS(20)));
    let began = Instant::now();
    client.unary(echo()).await.unwrap();
    assert_eq!(log.len(), 4);
    let delays = extra.seen();
    assert_eq!((delays[0], delays[2]), ((2, MS(7)), (4, MS(0))));
    assert!((MS(16)..=MS(24)).contains(&delays[1].1), "{delays:?}");
    let all: Duration = delays.iter().map(|(_, delay)| *delay).sum();
    assert!(began.elapsed() >= all);
}

#[tokio::test]
async fn a_pushback_that_is_negative_or_cannot_be_read_stops() {
    for value in ["-1", "soon"] {
        let (server, log) = steps([PushBack(value)]).await;
        let status = Client::new(&pool(server.uri()), retry(5))
            .unary(echo())
            .await
            .unwrap_err();
        assert_eq!((status.code(), log.len()), (Code::Unavailable, 1), "{value}");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), value);
    }
}

#[tokio::test]
async fn delays_pass_on_tokios_clock_and_leave_the_slot_to_others() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    pool.ready(1).await.unwrap();
    let client = Client::new(&pool, retry_after(2, NEVER)).with_deadline(NEVER * 10);
    let call = tokio::spawn(async move { client.unary(failing_first(1, Code::Unavailable)).await });
    eventually("the delay to begin", || pool.stats().retried == 1).await;
    // With one slot in all, this one is made in the other's delay.
    crate::calls::Client::new(pool.clone()).unary(echo()).await.unwrap();
    assert!(!call.is_finished());

    let began = Instant::now();
    tokio::time::pause();
    tokio::time::advance(NEVER * 6 / 5).await;
    tokio::time::resume();
    let reply = within("the retry", call).await.unwrap().unwrap();
    assert_eq!(reply.into_inner().attempt, 2);
    assert!(began.elapsed() >= NEVER);
}

#[tokio::test]
async fn a_delay_that_reaches_past_the_deadline_is_not_waited_for() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let client = Client::new(&pool, retry_after(3, NEVER)).with_deadline(NEVER / 2);
    let began = Instant::now();
    let status = client.unary(failing_first(0, Code::Unavailable)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "as told"));
    assert!(began.elapsed() < NEVER / 2);
    assert_eq!((server.stats().streams_total, pool.stats().retried), (1, 0));
}

#[tokio::test]
async fn an_error_names_a_retry_too_late_for_the_deadline() {
    const DEADLINE: Duration = Duration::from_secs(90);
    let rows = [
        (Fail(Code::Unavailable), retry_after(3, NEVER)),
        (PushBack("100000"), retry(3)),
        (PushBack("100000"), hedge(3, NEVER * 9)),
        (Http("503"), retry_after(3, NEVER)),
        (Cut, retry_after(3, NEVER)),
    ];
    for (what, attempts) in rows {
        let (server, _log) = steps([what]).await;
        let client = Client::new(&pool(server.uri()), attempts).with_deadline(DEADLINE);
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{what:?}: {status:?}");
        let error = Error::of(&status).unwrap_or_else(|| panic!("{what:?}: {status:?}"));
        let delay = error.retry_outlasts_deadline().unwrap();
        assert!(delay > DEADLINE, "{what:?}: {delay:?}");
        assert!(error.to_string().contains("past the deadline"), "{error}");
        assert_eq!(error.attempts(), 1, "{what:?}");
    }
    // Where the policy or the server allows no other attempt, the deadline is not the reason.
    for (what, attempts) in [
        (Fail(Code::Unavailable), retry(2)),
        (Fail(Code::NotFound), retry_after(3, NEVER)),
        (PushBack("-1"), retry_after(3, NEVER)),
        (Fail(Code::NotFound), hedge(3, NEVER)),
    ] {
        let (server, _log) = steps([what, what]).await;
        let client = Client::new(&pool(server.uri()), attempts).with_deadline(NEVER / 2);
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        let delay = Error::of(&status).and_then(Error::retry_outlasts_deadline);
        assert_eq!(delay, None, "{what:?}: {status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_spans_all_attempts() {
    // Each attempt fails after 100 ms.
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let request = conn.next_request().await?;
            tokio::time::sleep(MS(100)).await;
            conn.fail(request.stream, Code::Unavailable, "as told").await?;
        }
    })
    .await;
    let pool = pool_in_memory(&server).build().unwrap();
    let client = Client::new(&pool, retry(5)).with_deadline(MS(300));
    let began = Instant::now();
    let status = client.unary(echo()).await.unwrap_err();
    assert!((MS(299)..MS(310)).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let (_, was_sent, attempts) = facts(&status);
    assert_eq!((was_sent, attempts), (true, 3), "{status:?}");
    idle(&pool).await;
}

#[tokio::test]
async fn the_rest_of_the_deadline_goes_out() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    let script = Script {
        key: "another call".to_owned(),
        delay_ms: 200,
        ..failing(1, Code::Unavailable)
    };
    let client = Client::new(&pool, retry(2)).with_deadline(MS(9_000));
    let reply: Response<_> = client.unary(scripted(script)).await.unwrap();
    let left = reply.into_inner().timeout_ms.unwrap();
    assert!((5_000..=8_810).contains(&left), "{left}");
}

#[tokio::test]
async fn a_call_dropped_in_its_delay_leaves_nothing() {
    let server = TestServer::start().await;
    let pool = one_slot(&server);
    pool.ready(1).await.unwrap();
    let client = Client::new(&pool, retry_after(2, NEVER)).with_deadline(NEVER * 10);
    let before = tasks();
    for streaming in [false, true] {
        let retried = pool.stats().retried;
        let client = client.clone();
        let request = failing_first(0, Code::Unavailable);
        let call = tokio::spawn(async move {
            match streaming {
                false => client.unary(request).await.map(drop),
                true => {
                    use tokio_stream::StreamExt;
                    let requests = tokio_stream::once(request).chain(endless());
                    client.client_stream(requests).await.map(drop)
                }
            }
        });
        eventually("the delay to begin", || pool.stats().retried > retried).await;
        idle(&pool).await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        idle(&pool).await;
        no_more_tasks_than(before).await;
    }
    assert_eq!(server.until(|stats| stats.streams_now == 0).await.streams_total, 2);
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_tried_as_the_policy_has_it() {
    let server = TestServer::start().await;
    server.close_listener().await;
    let extra = Extra::default();
    let pool = extra.watch(Pool::builder(server.uri())).build().unwrap();
    let status = Client::new(&pool, retry(3)).unary(echo()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(Error::of(&status).unwrap().is_connect());
    assert_eq!(extra.seen().len(), 2);
}

#[tokio::test]
async fn a_closed_pool_is_not_tried_again() {
    let server = TestServer::start().await;
    let pool = pool_of(&server);
    pool.close();
    let status = Client::new(&pool, retry(3)).unary(echo()).await.unwrap_err();
    assert!(Error::of(&status).unwrap().is_closed());
    assert_eq!(pool.stats().retried, 0);
}

/// `Read` is free of side effects by its .proto, `Unary` idempotent by the attribute, `ServerStream` neither.
#[pooled_client(tests::pb::test_service_client::TestServiceClient, unary(idempotent))]
struct Declared;

#[tokio::test]
async fn what_is_declared_idempotent_is_retried_by_default_and_nothing_else_is() {
    let server = TestServer::start().await;
    let client = Declared::new(pool_of(&server));
    let reply = client.unary(failing_first(2, Code::Unavailable)).await.unwrap();
    assert_eq!(reply.into_inner().attempt, 3);
    let mut request = failing_first(2, Code::Unavailable);
    request.script.as_mut().unwrap().key = "another".to_owned();
    let reply = client.read(request).await.unwrap();
    assert_eq!(reply.into_inner().attempt, 3);
    let status = client
        .server_stream(failing_first(0, Code::Unavailable))
        .await
        .unwrap_err();
    assert_eq!((status.code(), server.stats().streams_total), (Code::Unavailable, 7));
}

/// A pool that has no room turns a call away for good: it would not take it in sooner if the call asked again.
#[tokio::test]
async fn a_full_pool_is_asked_once() {
    type Setting = fn(Builder) -> Builder;
    let rows: [(&str, u64, Setting); 2] = [
        ("max_waiters", 1, |pool| pool.max_waiters(0)),
        ("acquire_timeout", 0, |pool| {
            pool.acquire_timeout(Duration::from_millis(20))
        }),
    ];
    for (named, refused, setting) in rows {
        let server = TestServer::start().await;
        let pool = Pool::builder(server.uri()).max_connections(1).max_concurrent_streams(1);
        let pool = setting(pool).build().unwrap();
        // Where nobody may wait, the connection has to be opened ahead.
        within("the connection", pool.ready(1)).await.unwrap();
        let _held = pool.acquire().await.unwrap();
        let codes = Codes::UNAVAILABLE.with(Code::ResourceExhausted as u8);
        let policy = RetryPolicy::unchecked(5, Duration::from_millis(1), Duration::from_millis(1), 1.0, codes);
        let client = Client::new(&pool, Attempts::Retry(policy));
        let status = client.unary(echo()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.message().contains(named), "{status}");
        assert_eq!((pool.stats().refused, pool.stats().retried), (refused, 0), "{named}");
    }
}
