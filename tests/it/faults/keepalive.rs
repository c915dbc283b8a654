//! Keepalive on a peer that falls silent between calls. In memory, on a paused clock: see [`super::stalls`].

use std::io;
use std::time::Duration;

use pool_runtime::{Builder, CloseReason, Pool, Target};
use tests::fault::{Conn, FaultServer};
use tests::wire::{flag, kind};
use tokio::time::{Instant, sleep};
use tonic::Code;

use super::Seen;
use crate::calls::{Client, echo};

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(2);

fn pool(server: &FaultServer) -> Builder {
    let entrance = server.entrance();
    Pool::builder("http://peer.test")
        .connector(move |_: Target| std::future::ready(io::Result::Ok(entrance.pipe(4 << 10))))
        .keep_alive_interval(INTERVAL)
        .keep_alive_timeout(TIMEOUT)
}

/// Answers the first call of the first connection, and then reads without answering anything, as if a NAT had forgotten it.
/// The other connections serve.
pub(super) async fn falls_silent(mut conn: Conn) -> io::Result<()> {
    conn.handshake(&[]).await?;
    if conn.index() > 0 {
        return conn.serve().await;
    }
    let first = conn.next_request().await?;
    conn.reply(&first).await?;
    conn.withhold_acks();
    conn.withhold_windows();
    conn.until_closed().await
}

#[tokio::test(start_paused = true)]
async fn a_call_after_silence_pings_first() {
    let server = FaultServer::start(falls_silent).await;
    let (builder, seen) = Seen::by(pool(&server));
    let client = Client::new(builder.build().unwrap());
    client.unary(echo()).await.unwrap();
    sleep(INTERVAL * 2 + Duration::from_secs(1)).await;
    let began = Instant::now();
    let status = client.unary(echo()).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), TIMEOUT.as_secs(), "{status:?}");
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert_eq!(seen.closed(), [CloseReason::KeepAlive]);

    // The PING, and then the request.
    let stats = server.stats();
    let frames = stats.connections[0].frames.iter();
    let order: Vec<u8> = frames
        .filter(|frame| frame.is(kind::HEADERS) || frame.is(kind::PING) && frame.head.flags & flag::ACK == 0)
        .map(|frame| frame.head.kind)
        .collect();
    assert_eq!(order, [kind::HEADERS, kind::PING, kind::HEADERS]);
}

#[tokio::test(start_paused = true)]
async fn calls_within_the_interval_do_not_ping() {
    let server = FaultServer::start(|mut conn: Conn| async move {
        conn.handshake(&[]).await?;
        conn.serve().await
    })
    .await;
    let client = Client::new(pool(&server).build().unwrap());
    for _ in 0..5 {
        client.unary(echo()).await.unwrap();
        sleep(INTERVAL - Duration::from_secs(1)).await;
    }
    let pings = server.stats().frames().filter(|frame| frame.is(kind::PING)).count();
    assert_eq!(pings, 0);
}

#[tokio::test(start_paused = true)]
async fn an_interval_below_ten_seconds_holds() {
    let interval = Duration::from_millis(500);
    let server = FaultServer::start(falls_silent).await;
    let builder = pool(&server).keep_alive_interval(interval);
    let client = Client::new(builder.build().unwrap());
    client.unary(echo()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    client.unary(echo()).await.unwrap_err();
    let took = began.elapsed();
    assert!((TIMEOUT..TIMEOUT + interval).contains(&took), "{took:?}");
}
