//! A server that dies without a word under load and is back on its port two seconds later.
//!
//! What was in flight is lost, as nobody can know what became of it. Calls made while there is no server fail at once
//! with UNAVAILABLE, and the pool finds the server again by itself.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::Failure;
use crate::load::{self, Failures, Outcome};
use crate::peer::{Peer, Process, uri};
use crate::pooled::{Client, pool};
use crate::table::{Row, Verdict};
use crate::tools::Tools;

const PER_SECOND: u32 = 100;
const LENGTH: Duration = Duration::from_secs(11);
const CALL_MS: u32 = 10;
const PAUSE: Duration = Duration::from_secs(2);
/// No more than the loopback's answer to a connect: nobody waits for the backoff.
const FAST: Duration = Duration::from_millis(500);
/// The wait that can be under way when the server is back: the third of the backoff, 2.56 s and a fifth of jitter.
const RECOVERY: Duration = Duration::from_millis(3_500);

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    vec![super::row("kill -9 and back, grpcio", play(tools)).await]
}

async fn play(tools: &Tools) -> Result<Row, Failure> {
    let first = Process::start(tools.grpcio_server(0, &[])?).await?;
    let port = first.ports()[0];
    let (pool, replays) = pool(uri(port))?;
    let client = Client::new(pool.clone());
    let began = Instant::now();
    let load = tokio::spawn(async move { load::at_rate(PER_SECOND, LENGTH, || client.slow(CALL_MS)).await });
    sleep(PAUSE).await;
    let killed = began.elapsed();
    first.kill().await?;
    sleep(PAUSE).await;
    let second = Peer::start(tools.grpcio_server(port, &[])?).await?;
    let back = began.elapsed();
    let outcomes = load.await?;
    drop(second);

    let failed = || outcomes.iter().filter(|call| call.failure().is_some());
    let recovered = failed()
        .map(|call| call.ended.saturating_sub(back))
        .max()
        .unwrap_or_default();
    let verdict = Verdict::of(
        &[
            (
                failed().filter_map(Outcome::failure).all(is_unavailable),
                "failures are UNAVAILABLE",
            ),
            (failed().all(|call| call.ended >= killed), "none before the kill"),
            (load::slowest(failed()) < FAST, "they fail fast"),
            (recovered < RECOVERY, "the pool finds the server again"),
        ],
        format!(
            "{} in flight when killed; calls succeed {:.1} s after it was back; {} sent again; {}",
            failed().filter(|call| call.began < killed).count(),
            recovered.as_secs_f64(),
            replays.count(),
            Failures::of(&outcomes)
        ),
    );
    Ok(Row {
        time: load::slowest(failed()),
        ..Row::of("kill -9 and back, grpcio", &outcomes, pool.stats().opened, verdict)
    })
}

fn is_unavailable(status: &tonic::Status) -> bool {
    status.code() == Code::Unavailable
}
