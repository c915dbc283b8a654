//! A peer that accepts connections and says nothing: no SETTINGS, no end.
//!
//! 50 calls a second for 9 s with a deadline of 1 s. Each must fail in time and say what it waited for, and the peer
//! must not be flooded with connections: the waits between them are those of gRPC's connection backoff.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pool_runtime::{Error, Pool};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::Failure;
use crate::load::{self, Failures};
use crate::peer::uri;
use crate::pooled::Client;
use crate::table::{Row, Verdict};

const PER_SECOND: u32 = 50;
const LENGTH: Duration = Duration::from_secs(9);
const DEADLINE: Duration = Duration::from_secs(1);
/// A call may take so much longer than its deadline on a busy machine.
const SLACK: Duration = Duration::from_millis(250);
/// As many as grpc-go makes.
const CONNECTS: usize = 5;
/// With the default of 20 s a single attempt outlasts the scenario.
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) async fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (scenario, connect_timeout) in [
        ("silent peer", None),
        ("silent peer, connects in 0.5 s", Some(SHORT_TIMEOUT)),
    ] {
        rows.push(super::row(scenario, play(scenario, connect_timeout)).await);
    }
    rows
}

async fn play(scenario: &str, connect_timeout: Option<Duration>) -> Result<Row, Failure> {
    let peer = SilentPeer::start().await?;
    let mut builder = Pool::builder(uri(peer.port)).deadline(DEADLINE);
    if let Some(timeout) = connect_timeout {
        builder = builder.connect_timeout(timeout);
    }
    let client = Client::new(builder.build()?);
    let outcomes = load::at_rate(PER_SECOND, LENGTH, || client.slow(0)).await;
    let connects = peer.connects();
    let verdict = Verdict::of(
        &[
            (load::failures(&outcomes) == outcomes.len(), "every call fails"),
            (load::slowest(&outcomes) < DEADLINE + SLACK, "within its deadline"),
            (
                outcomes.iter().filter_map(|call| call.failure()).all(says_so),
                "with a status that says so",
            ),
            (connects.len() <= CONNECTS, "at most 5 connects"),
            (are_spaced(&connects), "spaced by the backoff"),
        ],
        format!("connects at {}; {}", seconds(&connects), Failures::of(&outcomes)),
    );
    Ok(Row::of(scenario, &outcomes, connects.len(), verdict))
}

/// Out of time while there was no connection, or none could be opened.
fn says_so(status: &Status) -> bool {
    let told = Error::of(status).is_some_and(|error| error.is_timeout() || error.is_connect());
    told && matches!(status.code(), Code::DeadlineExceeded | Code::Unavailable)
}

/// Each gap is at least the backoff's: 1 s, then 1.6 times the last, less a fifth for the jitter.
fn are_spaced(connects: &[Duration]) -> bool {
    let mut least = 0.8;
    connects.windows(2).all(|pair| {
        let holds = (pair[1] - pair[0]).as_secs_f64() >= least;
        least *= 1.6;
        holds
    })
}

fn seconds(times: &[Duration]) -> String {
    let times: Vec<_> = times.iter().map(|time| format!("{:.1}", time.as_secs_f64())).collect();
    format!("{} s", times.join(", "))
}

struct SilentPeer {
    port: u16,
    accepted: Arc<Mutex<Vec<(Duration, TcpStream)>>>,
}

impl SilentPeer {
    async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let accepted = Arc::<Mutex<Vec<_>>>::default();
        let kept = Arc::clone(&accepted);
        let began = Instant::now();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let entry = (began.elapsed(), connection);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            }
        });
        Ok(Self { port, accepted })
    }

    /// When connections came.
    fn connects(&self) -> Vec<Duration> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.iter().map(|(at, _)| *at).collect()
    }
}
