//! RST_STREAM: every code at every point of a response (R23), and streams that were refused (R7, R8).

use h2::Reason;
use pool_runtime::{Phase, Pool};
use tests::fault::cases::{self, At};
use tests::fault::{Conn, FaultServer};
use tests::pb::TestRequest;
use tests::within;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::{Seen, check_clean, check_recovers, proven};
use crate::calls::{Caller, Client, client, echo, endless, eventually, facts};

/// R23, and what it does not name.
const CODES: [(u32, Code); 15] = [
    (0x0, Code::Internal),
    (0x1, Code::Internal),
    (0x2, Code::Internal),
    (0x3, Code::Internal),
    (0x4, Code::Internal),
    (0x5, Code::Unknown),
    (0x6, Code::Internal),
    (0x7, Code::Unavailable),
    (0x8, Code::Cancelled),
    (0x9, Code::Internal),
    (0xa, Code::Internal),
    (0xb, Code::ResourceExhausted),
    (0xc, Code::PermissionDenied),
    (0xd, Code::Unknown),
    (0xbad, Code::Unknown),
];

#[tokio::test]
async fn every_code_at_every_point_is_its_status_and_spares_the_connection() {
    for at in At::ALL {
        let phase = match at {
            At::Start => Phase::Requesting,
            _ => Phase::Responding,
        };
        for (code, expected) in CODES {
            let reason = Reason::from(code);
            if (at, reason) == (At::Start, Reason::REFUSED_STREAM) {
                continue;
            }
            let server = FaultServer::start(cases::rst(at, reason)).await;
            let client = proven(&server).await;
            let status = within("a call", client.unary(echo())).await.unwrap_err();
            assert_eq!(status.code(), expected, "{code:#x} at {at:?}: {status:?}");
            assert_eq!(facts(&status), (Some(phase), true, 1), "{code:#x} at {at:?}");
            assert_eq!(server.stats().streams_total, 2, "{code:#x} at {at:?} is not sent again");
            check_recovers(client, server, 0).await;
        }
    }
}

#[tokio::test]
async fn a_reset_ends_a_call_whose_request_is_still_open() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        loop {
            let request = conn.next_opened().await?;
            if request.path().ends_with("Bidi") {
                conn.respond(request.stream).await?;
            }
            conn.rst(request.stream, Reason::INTERNAL_ERROR).await?;
        }
    })
    .await;
    let client = client(server.uri());
    let status = within("a call", client.client_stream(endless())).await.unwrap_err();
    assert_eq!(
        (status.code(), facts(&status)),
        (Code::Internal, (Some(Phase::Requesting), true, 1))
    );
    let mut replies = within("a response", client.bidi(endless())).await.unwrap().into_inner();
    let status = within("its end", replies.message()).await.unwrap_err();
    assert_eq!(
        (status.code(), facts(&status)),
        (Code::Internal, (Some(Phase::Responding), true, 1))
    );
    check_clean(&client, server).await;
}

#[tokio::test]
async fn resets_by_the_peer_are_not_ours() {
    // More resets of its own than this end a connection.
    const MANY: usize = 1_100;
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.forget_frames();
        loop {
            let request = conn.next_opened().await?;
            conn.respond(request.stream).await?;
            conn.rst(request.stream, Reason::INTERNAL_ERROR).await?;
        }
    })
    .await;
    let (builder, seen) = Seen::by(Pool::builder(server.uri()).max_connections(1));
    let client = Client::new(builder.build().unwrap());
    for _ in 0..MANY / 2 {
        client.unary(echo()).await.unwrap_err();
        let mut replies = client.bidi(endless()).await.unwrap().into_inner();
        replies.message().await.unwrap_err();
    }
    assert_eq!(seen.draining(), []);
    assert_eq!(server.stats().connections_total, 1);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn refused_streams_are_sent_again_and_nobody_notices() {
    let server = FaultServer::start(cases::refuse_first(1)).await;
    let (builder, seen) = Seen::by(Pool::builder(server.uri()));
    let client = Client::new(builder.build().unwrap());
    let reply = within("a call", client.unary(echo())).await.unwrap();
    assert_eq!(reply.into_inner().payload, b"payload");
    let stats = server.stats();
    assert_eq!((stats.refused, stats.streams_total), (1, 2));
    assert_eq!(seen.replayed(), 1);
    check_clean(&client, server).await;
}

#[tokio::test]
async fn plain_clients_over_a_pool_are_spared_refusals_too_but_a_lease_stays_where_it_is() {
    let server = FaultServer::start(cases::refuse_first(2)).await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let [annotated, mut plain, mut lease] = Caller::all(&pool).await;
    drop(annotated);
    let status = lease.unary(echo()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Requesting), false, 1));
    plain.unary(echo()).await.unwrap();
    lease.unary(echo()).await.unwrap();
    assert_eq!(server.stats().streams_total, 4);
}

#[tokio::test]
async fn a_peer_that_refuses_everything_is_not_asked_for_ever() {
    let server = FaultServer::start(cases::rst(At::Start, Reason::REFUSED_STREAM)).await;
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let (phase, was_sent, attempts) = facts(&status);
    assert_eq!((phase, was_sent), (Some(Phase::Requesting), false));
    assert_eq!(attempts, 2, "gRFC A6: it is sent again once");
    assert_eq!(server.stats().refused, attempts as usize);
    check_recovers(client, server, 0).await;
}

/// Refuses the first stream once `bytes` of its body are there; keeps what the second one sends, and answers it.
async fn refuse_late(mut conn: Conn, bytes: usize, kept: mpsc::Sender<usize>) -> std::io::Result<()> {
    conn.handshake(&[]).await?;
    let first = conn.next_opened().await?;
    let mut received = 0;
    while received < bytes {
        let frame = conn.read_until(|frame| frame.is(tests::wire::kind::DATA)).await?;
        received += frame.head.len;
    }
    conn.refuse(first.stream).await?;
    let second = conn.next_request().await?;
    let _ = kept.send(second.body.len()).await;
    conn.reply(&second).await?;
    conn.until_closed().await
}

const CHUNK: usize = 50_000;

fn chunk() -> TestRequest {
    TestRequest {
        payload: vec![7; CHUNK],
        script: None,
    }
}

#[tokio::test]
async fn a_refused_request_stream_is_sent_again_from_its_beginning() {
    let (kept, mut whole) = mpsc::channel(1);
    let server = FaultServer::start(move |conn: Conn| refuse_late(conn, 3 * CHUNK, kept.clone())).await;
    let (builder, seen) = Seen::by(Pool::builder(server.uri()));
    let client = Client::new(builder.build().unwrap());
    let (sender, requests) = mpsc::channel(1);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.client_stream(ReceiverStream::new(requests)).await }
    });
    for _ in 0..3 {
        sender.send(chunk()).await.unwrap();
    }
    eventually("the replay", || seen.replayed() == 1).await;
    // The caller goes on where it was, and knows of nothing.
    within("the request to be taken", sender.send(chunk())).await.unwrap();
    drop(sender);
    within("the call", call).await.unwrap().unwrap();
    let body = whole.recv().await.unwrap();
    assert!(body > 4 * CHUNK && body < 4 * CHUNK + 100, "{body} bytes");
    check_clean(&client, server).await;
}

#[tokio::test]
async fn a_refused_request_stream_beyond_the_bound_is_given_up_and_says_that_it_was_not_processed() {
    let (kept, _whole) = mpsc::channel(1);
    let server = FaultServer::start(move |conn: Conn| refuse_late(conn, 10 * CHUNK, kept.clone())).await;
    let client = client(server.uri());
    let (sender, requests) = mpsc::channel(1);
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.client_stream(ReceiverStream::new(requests)).await }
    });
    for _ in 0..11 {
        if sender.send(chunk()).await.is_err() {
            break;
        }
    }
    let status = within("the call", call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(facts(&status), (Some(Phase::Requesting), false, 1));
    within("the request to be let go of", sender.closed()).await;
    assert_eq!(server.stats().streams_total, 1);
    check_clean(&client, server).await;
}
