//! Connections that this side's h2 ends, because the peer broke the protocol: their calls have lost a connection, no more.

use pool_runtime::{Phase, Pool};
use tests::fault::{Conn, FaultServer};
use tests::wire::{flag, kind};
use tests::within;
use tonic::{Code, Status};

use super::check_clean;
use crate::calls::{Client, echo, facts};

/// What breaks the protocol.
#[derive(Debug, Clone, Copy)]
enum Break {
    /// DATA on stream 0.
    Data,
    /// A header block that HPACK cannot read.
    Hpack,
    /// A header list that h2 takes for an attack.
    Headers,
    /// WINDOW_UPDATE beyond the largest window.
    Window,
}

impl Break {
    const ALL: [Self; 4] = [Self::Data, Self::Hpack, Self::Headers, Self::Window];

    async fn send(self, conn: &mut Conn) -> std::io::Result<()> {
        match self {
            Self::Data => conn.send_frame(kind::DATA, 0, 0, b"x").await,
            Self::Hpack => conn.send_frame(kind::HEADERS, flag::END_HEADERS, 1, &[0xff; 40]).await,
            Self::Headers => {
                let long = "m".repeat(6 << 20);
                conn.send_headers(1, &[("x", long)], true).await
            }
            Self::Window => conn.send_frame(kind::WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]).await,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Data | Self::Hpack => "PROTOCOL_ERROR",
            Self::Headers => "ENHANCE_YOUR_CALM \"header_list_way_too_large\"",
            Self::Window => "FLOW_CONTROL_ERROR",
        }
    }
}

/// Breaks the protocol on the first connection when five calls are open on it, their responses begun or not.
async fn breaking(breach: Break, begun: bool) -> FaultServer {
    FaultServer::start(move |mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        if conn.index() > 0 {
            return conn.serve().await;
        }
        for _ in 0..5 {
            let stream = conn.next_request().await?.stream;
            if begun {
                conn.respond(stream).await?;
            }
        }
        breach.send(&mut conn).await?;
        conn.until_closed().await
    })
    .await
}

fn client(server: &FaultServer) -> Client {
    let pool = Pool::builder(server.uri()).max_connections(1).max_frame_size(1 << 23);
    Client::new(pool.build().unwrap())
}

#[track_caller]
fn assert_lost(breach: Break, status: &Status, phase: Phase) {
    assert_eq!(status.code(), Code::Unavailable, "{breach:?}: {status:?}");
    assert_eq!(facts(status), (Some(phase), true, 1), "{breach:?}: {status:?}");
    let text = status.message();
    assert!(text.contains("connection lost"), "{breach:?}: {text}");
    assert!(text.contains(breach.reason()), "{breach:?}: {text}");
}

#[tokio::test]
async fn calls_of_a_connection_that_h2_ends_are_unavailable() {
    for breach in Break::ALL {
        for begun in [false, true] {
            let server = breaking(breach, begun).await;
            let client = client(&server);
            let calls: Vec<_> = (0..5)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { client.unary(echo()).await })
                })
                .collect();
            let phase = if begun { Phase::Responding } else { Phase::Requesting };
            for call in calls {
                let status = within("a call", call).await.unwrap().unwrap_err();
                assert_lost(breach, &status, phase);
            }
            check_clean(&client, server).await;
        }
    }
}

#[tokio::test]
async fn idempotent_calls_of_such_a_connection_are_made_again() {
    for breach in Break::ALL {
        let server = breaking(breach, false).await;
        let client = client(&server);
        let calls: Vec<_> = (0..5)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { client.read(echo()).await })
            })
            .collect();
        for call in calls {
            let reply = within("a call", call).await.unwrap();
            let reply = reply.unwrap_or_else(|status| panic!("{breach:?}: {status:?}"));
            assert_eq!(reply.into_inner().connection, 1);
        }
        check_clean(&client, server).await;
    }
}
