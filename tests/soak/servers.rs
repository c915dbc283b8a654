//! The servers: one recycles its connections, one allows few streams, one dies and comes back, and one does at random
//! what a peer can do wrong.

use std::io;
use std::time::Duration;

use h2::Reason;
use tests::fault::cases::{At, respond_up_to};
use tests::fault::{Conn, FaultServer};
use tests::server::TestServer;
use tests::wire::{kind, setting};
use tokio::io::AsyncReadExt;
use tokio::time::sleep;
use tonic::Code;

/// Has this program be the servers.
pub(crate) const ARGUMENT: &str = "--serve";

/// How many there are.
pub(crate) const COUNT: usize = 4;

/// Serves until the standard input ends, which it does with the process that started this one.
pub(crate) async fn run() {
    let recycling = TestServer::builder()
        .max_calls_per_connection(200)
        .max_connection_age(Duration::from_secs(1))
        .tolerate_resets(1_000_000)
        .start()
        .await;
    let limited = TestServer::builder()
        .max_concurrent_streams(5)
        .tolerate_resets(1_000_000)
        .start()
        .await;
    let mortal = TestServer::builder().tolerate_resets(1_000_000).start().await;
    let faulty = FaultServer::start(misbehave).await;
    for uri in [recycling.uri(), limited.uri(), mortal.uri(), faulty.uri()] {
        println!("{uri}");
    }
    let mut nothing = [0];
    tokio::select! {
        _ = async { tokio::io::stdin().read(&mut nothing).await } => {}
        () = die_and_come_back(&mortal) => {}
    }
}

async fn die_and_come_back(server: &TestServer) {
    loop {
        sleep(Duration::from_millis(fastrand::u64(200..1_500))).await;
        match fastrand::u8(..4) {
            0 => server.drain_all(),
            1 => server.cut_all(),
            2 => server.reset_all(),
            _ => {
                server.close_listener().await;
                server.reset_all();
                sleep(Duration::from_millis(fastrand::u64(1..500))).await;
                server.reopen_listener().await;
            }
        }
    }
}

/// Answers most calls, and does something else with the rest.
async fn misbehave(mut conn: Conn) -> io::Result<()> {
    conn.forget_frames();
    match fastrand::u8(..40) {
        0 => return conn.abort(),
        1 => return conn.close().await,
        2 => conn.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await?,
        _ => {}
    }
    conn.handshake(&[(setting::MAX_CONCURRENT_STREAMS, fastrand::u32(1..50))])
        .await?;
    loop {
        let request = conn.next_opened().await?;
        let stream = request.stream;
        let at = At::ALL[fastrand::usize(..At::ALL.len())];
        match fastrand::u8(..200) {
            0 => {
                respond_up_to(&mut conn, &request, at).await?;
                return conn.close().await;
            }
            1 => {
                respond_up_to(&mut conn, &request, at).await?;
                return conn.abort();
            }
            2..10 => {
                respond_up_to(&mut conn, &request, at).await?;
                conn.rst(stream, fastrand::u32(..14).into()).await?;
            }
            10..16 => conn.refuse(stream).await?,
            16 => {
                conn.goaway(stream, Reason::NO_ERROR, "").await?;
                conn.reply(&request).await?;
                return conn.close().await;
            }
            17 => {
                conn.goaway(stream.saturating_sub(2), Reason::NO_ERROR, "").await?;
                return conn.close().await;
            }
            18..24 => {
                conn.send_settings(&[(setting::MAX_CONCURRENT_STREAMS, fastrand::u32(1..20))])
                    .await?
            }
            24..28 => {
                for _ in 0..100 {
                    conn.send_ping([7; 8]).await?;
                }
                conn.reply(&request).await?;
            }
            28..34 => conn.fail(stream, Code::FailedPrecondition, "so it is").await?,
            34 => conn.send_frame(kind::DATA, 0, 0, b"against the protocol").await?,
            35 => {
                // Reads no more; the client has to see to it that it gets away.
                sleep(Duration::from_secs(30)).await;
                return Ok(());
            }
            // Not answered.
            36..40 => {}
            _ => conn.reply(&request).await?,
        }
    }
}
