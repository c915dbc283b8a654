//! Connections that end without a word, at every point of a call and between calls.

use pool_runtime::{CloseReason, Phase, Pool};
use tests::fault::cases::{self, At};
use tests::fault::{Conn, FaultServer};
use tests::server::TestServer;
use tests::within;
use tonic::Code;

use super::{Seen, check_recovers, proven};
use crate::calls::{Caller, Client, echo, endless, facts, idle};

/// Checks that a call whose connection ends at `at` says so and is not repeated, and that the next call has another
/// connection.
async fn check_end(server: FaultServer, at: At) {
    let client = proven(&server).await;
    let status = within("a call", client.unary(echo())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{at:?}: {status:?}");
    let phase = match at {
        At::Start => Phase::Requesting,
        _ => Phase::Responding,
    };
    assert_eq!(facts(&status), (Some(phase), true, 1), "{at:?}: {status:?}");
    assert_eq!(server.stats().streams_total, 2);
    check_recovers(client, server, 1).await;
}

#[tokio::test]
async fn an_end_of_the_connection_at_any_point_of_a_call_is_unavailable() {
    for at in At::ALL {
        check_end(FaultServer::start(cases::eof(at)).await, at).await;
    }
}

#[tokio::test]
async fn a_tcp_reset_at_any_point_of_a_call_is_unavailable() {
    for at in At::ALL {
        check_end(FaultServer::start(cases::tcp_reset(at)).await, at).await;
    }
}

#[tokio::test]
async fn an_end_inside_of_a_frame_or_of_a_header_block_is_unavailable() {
    // HEADERS: half of its head; its head and half of its payload; all of a frame that is to be continued.
    for part in [
        &[0, 0, 1][..],
        &[0, 0, 9, 1, 4, 0, 0, 0, 3, 0x88],
        &[0, 0, 1, 1, 0, 0, 0, 0, 3, 0x88],
    ] {
        for resets in [false, true] {
            let server = FaultServer::start(move |mut conn: Conn| async move {
                conn.handshake(&[]).await?;
                cases::next_victim(&mut conn).await?;
                conn.ping_pong().await?;
                conn.send_raw(part).await?;
                match resets {
                    true => conn.abort(),
                    false => conn.close().await,
                }
            })
            .await;
            check_end(server, At::Start).await;
        }
    }
}

#[tokio::test]
async fn an_end_fails_a_call_whose_request_is_open_and_lets_go_of_it() {
    for at in [At::Start, At::AfterHeaders] {
        let server = FaultServer::start(move |mut conn: Conn| async move {
            conn.handshake(&[]).await?;
            let read = conn.next_request().await?;
            conn.reply(&read).await?;
            let request = conn.next_opened().await?;
            if at == At::AfterHeaders {
                conn.respond(request.stream).await?;
            }
            conn.close().await
        })
        .await;
        let client = proven(&server).await;
        let call = async {
            let mut replies = client.bidi(endless()).await?.into_inner();
            replies.message().await
        };
        let status = within("a call", call).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        check_recovers(client, server, 1).await;
    }
}

#[tokio::test]
async fn a_call_after_an_idle_connection_was_closed_succeeds() {
    for end in [TestServer::cut_all, TestServer::reset_all] {
        let server = TestServer::start().await;
        let (builder, seen) = Seen::by(Pool::builder(server.uri()).max_connections(1));
        let pool = builder.build().unwrap();
        let client = Client::new(pool.clone());
        for connection in 0..100 {
            let reply = within("a call", client.unary(echo())).await.unwrap();
            assert_eq!(reply.into_inner().connection, connection);
            server.until(|stats| stats.streams_now == 0).await;
            end(&server);
            // Closed there; whether that is known here is for the call to find out.
            server.until(|stats| stats.connections_now == 0).await;
        }
        idle(&pool).await;
        assert!(seen.closed().iter().all(|reason| *reason == CloseReason::Lost));
        assert_eq!(pool.stats().failed_dials, 0);
    }
}

#[tokio::test]
async fn a_lease_on_a_connection_that_has_ended_says_that_nothing_was_sent() {
    let server = TestServer::start().await;
    let pool = Pool::builder(server.uri()).build().unwrap();
    let [annotated, _, mut lease] = Caller::all(&pool).await;
    drop(annotated);
    lease.unary(echo()).await.unwrap();
    server.cut_all();
    server.until(|stats| stats.connections_now == 0).await;
    for _ in 0..2 {
        let status = within("a call", lease.unary(echo())).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(facts(&status), (Some(Phase::Requesting), false, 1), "{status:?}");
    }
    drop(lease);
    idle(&pool).await;
}
