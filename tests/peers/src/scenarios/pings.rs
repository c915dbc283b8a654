//! Keepalive that is too eager for the server: grpcio ends the connection with GOAWAY "too_many_pings".
//!
//! The pool must go on on another connection, and ping half as often there. The interval cannot be set below 10 s, so
//! this takes a minute and a half; it is played beside the others.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pool_runtime::{CloseReason, Event, Observer, Pool};
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::load::{self, Failures, Outcome};
use crate::peer::Peer;
use crate::pooled::Client;
use crate::table::{Row, Verdict};
use crate::tools::Tools;

const INTERVAL: Duration = Duration::from_secs(10);
const CALLS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(150);
/// How grpcio is made to mind: an hour between pings without calls, and the second that comes too early ends it.
const OPTIONS: [&str; 2] = [
    "grpc.http2.min_recv_ping_interval_without_data_ms=3600000",
    "grpc.http2.max_ping_strikes=1",
];

pub(super) async fn rows(tools: Arc<Tools>) -> Vec<Row> {
    vec![super::row("too many pings, grpcio", play(&tools)).await]
}

async fn play(tools: &Tools) -> Result<Row, Failure> {
    let server = Peer::start(tools.grpcio_server(0, &OPTIONS)?).await?;
    let lives = Lives::default();
    let pool = Pool::builder(server.uri())
        .min_connections(1)
        .keep_alive_interval(INTERVAL)
        .keep_alive_while_idle(true)
        .observer(lives.clone())
        .connect()
        .await?;
    let client = Client::new(pool.clone());
    let mut outcomes = Vec::new();
    for goaways in 1..=2 {
        lives.until(goaways).await;
        outcomes.extend(load::at_once(CALLS, || client.slow(0)).await);
    }
    Ok(judge(&outcomes, &lives.lengths(), pool.stats().opened))
}

fn judge(outcomes: &[Outcome], lengths: &[Duration], opened: u64) -> Row {
    let doubled = matches!(lengths, [first, second, ..] if *second > first.mul_f64(1.6));
    let verdict = Verdict::of(
        &[
            (lengths.len() >= 2, "the server minds the pings"),
            (load::failures(outcomes) == 0, "no call fails"),
            (doubled, "the second connection is pinged half as often"),
        ],
        format!("GOAWAY after {lengths:.1?} {}", Failures::of(outcomes)),
    );
    Row::of("too many pings, grpcio", outcomes, opened, verdict)
}

/// How long connections lived until the server had enough of their pings.
#[derive(Clone, Default)]
struct Lives(Arc<Mutex<(Option<Instant>, Vec<Duration>)>>);

impl Lives {
    fn lengths(&self) -> Vec<Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    async fn until(&self, goaways: usize) {
        let began = Instant::now();
        while self.lengths().len() < goaways && began.elapsed() < PATIENCE {
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Observer for Lives {
    fn on_event(&self, event: &Event<'_>) {
        let mut lives = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Opened { .. } => lives.0 = Some(Instant::now()),
            Event::Draining {
                reason: CloseReason::TooManyPings,
                ..
            } => {
                let length = lives.0.take().map(|opened| opened.elapsed());
                lives.1.extend(length);
            }
            _ => {}
        }
    }
}
