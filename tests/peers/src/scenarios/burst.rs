//! A cold burst against a low stream limit: 80 calls of 200 ms at once, 10 streams to a connection, no connection yet.
//!
//! A client that takes the limit for 100 until the server's SETTINGS come loses calls of it, and one that opens its
//! connections one after the other takes long. Eight connections would do.

use std::time::Duration;

use super::stack::{Limits, Stack};
use crate::Failure;
use crate::load::{self, Failures, Outcome};
use crate::pooled::{Client, pool};
use crate::table::{Row, Verdict};
use crate::tools::Tools;

const CALLS: usize = 80;
const CALL_MS: u32 = 200;
const STREAMS: u32 = 10;
const ROUNDS: usize = 10;
const CONNECTIONS: std::ops::RangeInclusive<u64> = 8..=10;
const LIMIT: Duration = Duration::from_millis(700);

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let scenario = format!("cold burst, {stack}");
        rows.push(super::row(scenario.clone(), rounds(tools, stack, scenario)).await);
    }
    rows
}

async fn rounds(tools: &Tools, stack: Stack, scenario: String) -> Result<Row, Failure> {
    let limits = Limits {
        streams: Some(STREAMS),
        age: None,
    };
    let mut server = stack.start(tools, limits).await?;
    let (mut outcomes, mut connections, mut times, mut replays) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let before = server.report().await?.connections;
        let (pool, replayed) = pool(server.uri())?;
        let client = Client::new(pool.clone());
        let round = load::at_once(CALLS, || client.slow(CALL_MS)).await;
        times.extend(round.iter().map(|call| call.ended).max());
        connections.push(server.report().await?.connections - before);
        replays += replayed.count();
        outcomes.extend(round);
        pool.close();
    }
    let most = server.report().await?.most_streams;
    let slowest = times.iter().max().copied().unwrap_or_default();
    let verdict = Verdict::of(
        &[
            (load::failures(&outcomes) == 0, "no call fails"),
            (
                connections.iter().all(|n| CONNECTIONS.contains(n)),
                "8 to 10 connections",
            ),
            (most <= u64::from(STREAMS), "at most 10 streams on a connection"),
            (slowest < LIMIT, "a round takes less than 0.7 s"),
        ],
        note(&outcomes, &connections, most, replays),
    );
    let range = format!("{}-{}", minimum(&connections), maximum(&connections));
    Ok(Row {
        time: slowest,
        ..Row::of(scenario, &outcomes, range, verdict)
    })
}

fn note(outcomes: &[Outcome], connections: &[u64], most: u64, replays: usize) -> String {
    format!(
        "slowest of {} rounds; at most {most} streams on a connection; {replays} calls sent again {}",
        connections.len(),
        Failures::of(outcomes)
    )
}

fn minimum(connections: &[u64]) -> u64 {
    connections.iter().min().copied().unwrap_or_default()
}

fn maximum(connections: &[u64]) -> u64 {
    connections.iter().max().copied().unwrap_or_default()
}
