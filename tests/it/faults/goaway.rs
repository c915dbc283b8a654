//! GOAWAY of every kind (R8, R15): what was processed finishes, what was not is sent again, nothing fails.

use std::io;
use std::sync::{Arc, Mutex};

use h2::Reason;
use pool_runtime::{CloseReason, ConnectionState, Event, Phase, Pool};
use tests::fault::{Conn, FaultServer, cases};
use tests::pb::TestRequest;
use tests::pb::test_service_client::TestServiceClient;
use tests::wire::kind;
use tests::within;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Seen, check_clean, check_recovers, proven};
use crate::calls::{Client, echo, eventually, facts, hanging};

/// The last stream of a GOAWAY that only announces another one.
const NOT_YET: u32 = i32::MAX as u32;

fn observed(server: &FaultServer) -> (Client, Seen) {
    let (builder, seen) = Seen::by(Pool::builder(server.uri()).max_connections(1));
    (Client::new(builder.build().unwrap()), seen)
}

#[tokio::test]
async fn what_was_not_processed_is_sent_again_on_another_connection() {
    let server = FaultServer::start(cases::goaway_unprocessed(1)).await;
    let (client, seen) = observed(&server);
    let reply = within("a call", client.unary(echo())).await.unwrap().into_inner();
    assert_eq!((reply.connection, &reply.payload[..]), (1, &b"payload"[..]));
    assert_eq!(seen.replayed(), 1);
    assert_eq!(seen.draining(), [CloseReason::GoAway]);
    assert_eq!(client.pool().stats().failed_dials, 0);
    check_clean(&client, server).await;
}

/// gRFC A6: once. A peer that excludes every first request is shutting down behind a balancer, say.
#[tokio::test]
async fn early_goaways_are_replayed_once() {
    for connections in [2, 5] {
        let server = FaultServer::start(cases::goaway_unprocessed(connections)).await;
        let (client, seen) = observed(&server);
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(facts(&status), (Some(Phase::Requesting), false, 2), "{status:?}");
        assert_eq!((seen.replayed(), server.stats().streams_total), (1, 2));
        check_clean(&client, server).await;
    }
}

/// A connection that had answered others is recycled: no call fails by it (gRFC A9), however often.
#[tokio::test]
async fn goaways_of_useful_connections_are_replayed() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let first = conn.next_request().await?;
        conn.reply(&first).await?;
        if conn.index() > 3 {
            return conn.serve().await;
        }
        let second = conn.next_request().await?;
        conn.goaway(second.stream - 2, Reason::NO_ERROR, "").await?;
        conn.close().await
    })
    .await;
    let builder = Pool::builder(server.uri()).max_connections(8).max_concurrent_streams(1);
    let (builder, seen) = Seen::by(builder);
    let client = Client::new(builder.build().unwrap());
    // Five connections, each of which has answered a call.
    client.pool().ready(5).await.unwrap();
    let mut leases = Vec::new();
    for _ in 0..5 {
        leases.push(client.pool().acquire().await.unwrap());
    }
    for lease in leases {
        TestServiceClient::new(lease).unary(echo()).await.unwrap();
    }
    within("four GOAWAYs", async {
        while seen.draining().len() < 4 {
            client.unary(echo()).await.unwrap();
        }
    })
    .await;
    assert_eq!(seen.replayed(), 4);
    check_clean(&client, server).await;
}

/// On the first connection: GOAWAY below the first stream, once `bytes` of its body are there.
async fn goaway_late(mut conn: Conn, bytes: usize, kept: mpsc::Sender<usize>) -> io::Result<()> {
    conn.handshake(&[]).await?;
    if conn.index() > 0 {
        let request = conn.next_request().await?;
        let _ = kept.send(request.body.len()).await;
        conn.reply(&request).await?;
        return conn.serve().await;
    }
    conn.next_opened().await?;
    let mut received = 0;
    while received < bytes {
        received += conn.read_until(|frame| frame.is(kind::DATA)).await?.head.len;
    }
    conn.goaway(0, Reason::NO_ERROR, "").await?;
    conn.close().await
}

#[tokio::test]
async fn a_request_stream_that_was_not_processed_is_sent_again_from_its_beginning() {
    const CHUNK: usize = 50_000;
    let chunk = || TestRequest {
        payload: vec![7; CHUNK],
        script: None,
    };
    let (kept, mut whole) = mpsc::channel(1);
    let server = FaultServer::start(move |conn: Conn| goaway_late(conn, 3 * CHUNK, kept.clone())).await;
    let (client, seen) = observed(&server);
    let (sender, requests) = mpsc::channel(1);
    let call = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .bidi(ReceiverStream::new(requests))
                .await?
                .into_inner()
                .message()
                .await
        }
    });
    for _ in 0..3 {
        sender.send(chunk()).await.unwrap();
    }
    eventually("the replay", || seen.replayed() == 1).await;
    within("the request to be taken", sender.send(chunk())).await.unwrap();
    drop(sender);
    within("the call", call).await.unwrap().unwrap();
    let body = whole.recv().await.unwrap();
    assert!(body > 4 * CHUNK && body < 4 * CHUNK + 100, "{body} bytes");
    check_clean(&client, server).await;
}

/// Opens `calls` calls, of which the server has seen all, one after the other, before this returns.
async fn open(client: &Client, server: &FaultServer, calls: usize) -> JoinSet<u64> {
    let mut open = JoinSet::new();
    for n in 1..=calls {
        let client = client.clone();
        open.spawn(async move { client.unary(echo()).await.unwrap().into_inner().connection });
        server.until(|stats| stats.streams_total == n).await;
    }
    open
}

/// Waits for so many requests, says whatever `say` says, then answers those up to stream `last`, and closes.
macro_rules! farewell {
    ($requests:expr, $last:expr, $say:expr) => {
        |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            if conn.index() > 0 {
                return conn.serve().await;
            }
            let mut requests = Vec::new();
            while requests.len() < $requests {
                requests.push(conn.next_request().await?);
            }
            let mut conn: Conn = $say(conn).await?;
            for request in requests.iter().filter(|request| request.stream <= $last) {
                conn.reply(request).await?;
            }
            conn.close().await
        }
    };
}

#[tokio::test]
async fn what_was_processed_finishes_while_new_calls_go_elsewhere() {
    let (go, gate) = tokio::sync::watch::channel(false);
    let server = FaultServer::start(move |mut conn: Conn| {
        let mut gate = gate.clone();
        async move {
            conn.handshake(&[]).await?;
            if conn.index() > 0 {
                return conn.serve().await;
            }
            let mut requests = Vec::new();
            while requests.len() < 5 {
                requests.push(conn.next_request().await?);
            }
            conn.goaway(9, Reason::NO_ERROR, "").await?;
            let opened = async { gate.wait_for(|open| *open).await.is_ok() };
            opened.await;
            for request in &requests {
                conn.reply(request).await?;
            }
            conn.close().await
        }
    })
    .await;
    let (client, seen) = observed(&server);
    let old = open(&client, &server, 5).await;
    eventually("the GOAWAY", || seen.draining() == [CloseReason::GoAway]).await;
    for _ in 0..3 {
        let reply = within("a new call", client.unary(echo())).await.unwrap();
        assert_eq!(reply.into_inner().connection, 1);
    }
    let stats = client.pool().stats();
    let states: Vec<_> = stats
        .connections
        .iter()
        .map(|connection| (connection.state, connection.in_flight))
        .collect();
    assert_eq!(states, [(ConnectionState::Draining, 5), (ConnectionState::Serving, 0)]);
    go.send_replace(true);
    assert_eq!(within("the old calls", old.join_all()).await, [0; 5]);
    assert_eq!(seen.replayed(), 0);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn of_the_calls_in_flight_those_above_the_last_one_are_sent_again() {
    let server = FaultServer::start(farewell!(5, 3, |mut conn: Conn| async move {
        conn.goaway(3, Reason::NO_ERROR, "").await?;
        io::Result::Ok(conn)
    }))
    .await;
    let (client, seen) = observed(&server);
    let calls = open(&client, &server, 5).await;
    let mut connections = within("the calls", calls.join_all()).await;
    connections.sort_unstable();
    assert_eq!(connections, [0, 0, 1, 1, 1]);
    assert_eq!(seen.replayed(), 3);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_graceful_shutdown_in_two_steps_fails_nothing() {
    let server = FaultServer::start(farewell!(3, 5, |mut conn: Conn| async move {
        conn.goaway(NOT_YET, Reason::NO_ERROR, "").await?;
        // What the client had sent before it knew has come by then.
        conn.ping_pong().await?;
        conn.goaway(5, Reason::NO_ERROR, "").await?;
        io::Result::Ok(conn)
    }))
    .await;
    let (client, seen) = observed(&server);
    let calls = open(&client, &server, 3).await;
    assert_eq!(within("the calls", calls.join_all()).await, [0; 3]);
    assert_eq!(seen.draining(), [CloseReason::GoAway]);
    check_recovers(client, server, 1).await;
}

#[tokio::test]
async fn too_many_pings_is_named_and_fails_nothing() {
    let server = FaultServer::start(farewell!(2, 1, |mut conn: Conn| async move {
        conn.goaway(1, Reason::ENHANCE_YOUR_CALM, "too_many_pings").await?;
        io::Result::Ok(conn)
    }))
    .await;
    let (client, seen) = observed(&server);
    let calls = open(&client, &server, 2).await;
    let mut connections = within("the calls", calls.join_all()).await;
    connections.sort_unstable();
    assert_eq!(connections, [0, 1]);
    assert_eq!(seen.draining(), [CloseReason::TooManyPings]);
    check_recovers(client, server, 1).await;
}

/// What the pool makes of a GOAWAY: the events, and whether a failed call shows its text.
#[tokio::test]
async fn only_too_many_pings_is_called_so() {
    let long = "d".repeat(1_000);
    let calm = Reason::ENHANCE_YOUR_CALM;
    let rows: [(Reason, &str, CloseReason, &str); 6] = [
        (calm, "too_many_pings", CloseReason::TooManyPings, "too_many_pings"),
        (calm, "too_many_resets", CloseReason::GoAway, "too_many_resets"),
        (calm, "", CloseReason::GoAway, ""),
        (
            Reason::NO_ERROR,
            "too_many_pings",
            CloseReason::GoAway,
            "too_many_pings",
        ),
        (
            Reason::INTERNAL_ERROR,
            "a\n\"b\"\0",
            CloseReason::GoAway,
            r#"a\n\"b\"\0"#,
        ),
        (Reason::PROTOCOL_ERROR, &long, CloseReason::GoAway, &long[..256]),
    ];
    for (code, debug_data, reason, shown) in rows {
        let sent = debug_data.to_owned();
        let server = FaultServer::start(move |mut conn: Conn| {
            let debug_data = sent.clone();
            async move {
                conn.handshake(&[]).await?;
                let request = conn.next_request().await?;
                if conn.index() > 0 {
                    conn.reply(&request).await?;
                    return conn.serve().await;
                }
                conn.goaway(request.stream, code, &debug_data).await?;
                conn.close().await
            }
        })
        .await;
        let events = Arc::new(Mutex::new(Vec::new()));
        let log = events.clone();
        let (builder, seen) = Seen::by(Pool::builder(server.uri()).max_connections(1));
        let builder = builder.observer(move |event: &Event<'_>| {
            if let Event::GoAway {
                connection,
                code,
                debug_data,
            } = event
            {
                log.lock().unwrap().push((*connection, *code, (*debug_data).to_owned()));
            }
        });
        let client = Client::new(builder.build().unwrap());
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        let text = format!("the peer sent GOAWAY {code:?}");
        assert!(
            status.message().contains(&text) && status.message().contains(shown),
            "{status:?}"
        );
        assert!(status.message().len() < 500, "{status:?}");
        assert_eq!(seen.draining(), [reason], "{code:?} {debug_data:?}");
        assert_eq!(events.lock().unwrap()[..], [(1, u32::from(code), shown.to_owned())]);
        within("the next call", client.read(echo())).await.unwrap();
        check_clean(&client, server).await;
    }
}

#[tokio::test]
async fn a_goaway_with_an_error_fails_what_it_may_have_processed_and_nothing_else() {
    for reason in [
        Reason::PROTOCOL_ERROR,
        Reason::INTERNAL_ERROR,
        Reason::FLOW_CONTROL_ERROR,
    ] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            let first = conn.next_request().await?;
            conn.reply(&first).await?;
            let second = conn.next_request().await?;
            conn.goaway(second.stream, reason, "that was it").await?;
            conn.close().await
        })
        .await;
        let client = proven(&server).await;
        let status = within("a call", client.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
        check_recovers(client, server, 1).await;
    }
}

#[tokio::test]
async fn a_stream_that_outlives_the_goaway_is_never_cut() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        if conn.index() > 0 {
            return conn.serve().await;
        }
        let request = conn.next_request().await?;
        let reply = conn.reply_to(&request);
        conn.respond(request.stream).await?;
        conn.goaway(request.stream, Reason::NO_ERROR, "").await?;
        for _ in 0..20 {
            conn.send_message(request.stream, &reply).await?;
            conn.ping_pong().await?;
        }
        conn.trailers(request.stream, Code::Ok, "").await?;
        conn.close().await
    })
    .await;
    let (client, seen) = observed(&server);
    let mut replies = client.server_stream(hanging(0)).await.unwrap().into_inner();
    eventually("the GOAWAY", || !seen.draining().is_empty()).await;
    let mut read = 0;
    while within("a reply", replies.message()).await.unwrap().is_some() {
        read += 1;
    }
    assert_eq!(read, 20);
    check_recovers(client, server, 1).await;
}

#[tokio::test]
async fn a_goaway_without_calls_costs_the_next_call_nothing() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        let request = conn.next_request().await?;
        conn.reply(&request).await?;
        conn.goaway(request.stream, Reason::NO_ERROR, "").await?;
        // Not closed by this side: a client that has nothing in flight does so.
        conn.until_closed().await
    })
    .await;
    let (client, seen) = observed(&server);
    for connection in 0..10 {
        let reply = within("a call", client.unary(echo())).await.unwrap();
        assert_eq!(reply.into_inner().connection, connection);
    }
    eventually("the connections to be gone", || {
        seen.closed() == [CloseReason::GoAway; 10]
    })
    .await;
    assert_eq!(client.pool().stats().failed_dials, 0);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_peer_that_sends_everybody_away_is_not_dialled_for_ever() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.goaway(0, Reason::NO_ERROR, "").await?;
        conn.until_closed().await
    })
    .await;
    let (client, _) = observed(&server);
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let (_, was_sent, attempts) = facts(&status);
    assert!(!was_sent, "{status:?}");
    let dials = server.stats().connections_total;
    assert!((1..=2).contains(&dials), "{dials} dials for {attempts} attempts");
    // Then the backoff runs.
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(server.stats().connections_total <= 3);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_second_goaway_that_takes_back_the_first_ends_the_connection_and_no_call_hangs() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        if conn.index() > 0 {
            return conn.serve().await;
        }
        let first = conn.next_request().await?;
        conn.reply(&first).await?;
        let second = conn.next_request().await?;
        conn.goaway(second.stream, Reason::NO_ERROR, "").await?;
        // The last stream must not rise (RFC 9113, 6.8).
        conn.goaway(second.stream + 2, Reason::NO_ERROR, "").await?;
        conn.until_closed().await
    })
    .await;
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert!(
        [Code::Internal, Code::Unavailable].contains(&status.code()),
        "{status:?}"
    );
    assert_eq!(facts(&status), (Some(Phase::Requesting), true, 1), "{status:?}");
    check_recovers(client, server, 1).await;
}
