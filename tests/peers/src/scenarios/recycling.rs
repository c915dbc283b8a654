//! Calls over connections that the peer keeps retiring: 300 calls a second for 6 s, and not one may fail.
//!
//! A bare tonic `Channel` under the same load stands beside each: it is not judged.

use std::time::Duration;

use pool_runtime::Pool;
use tonic::transport::Endpoint;

use super::stack::{Limits, Stack};
use crate::Failure;
use crate::load::{self, Failures};
use crate::peer::{Process, uri};
use crate::pooled::{Client, over_channel, pool};
use crate::table::{Row, Verdict};
use crate::tonic_server::TonicServer;
use crate::tools::Tools;

const PER_SECOND: u32 = 300;
const LENGTH: Duration = Duration::from_secs(6);
/// Long enough that there are calls in flight whenever a connection is retired.
const CALL_MS: u32 = 10;
const AGE: Duration = Duration::from_secs(1);
/// Fewer connections would mean that nothing was recycled.
const FEWEST: u64 = 4;

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    let mut rows = through_nginx(tools)
        .await
        .unwrap_or_else(|failure| vec![Row::bare("recycling, nginx", Verdict::not_played(failure))]);
    for stack in Stack::ALL {
        let scenario = format!("{stack}, age 1 s");
        match by_age(tools, stack, &scenario).await {
            Ok(both) => rows.extend(both),
            Err(failure) => rows.push(Row::bare(scenario, Verdict::not_played(failure))),
        }
    }
    rows
}

async fn through_nginx(tools: &Tools) -> Result<Vec<Row>, Failure> {
    let backend = TonicServer::start(None, None).await?;
    let nginx = Process::start(tools.nginx(backend.port())?).await?;
    let mut rows = Vec::new();
    for (scenario, port) in ["nginx, 50 requests", "nginx, age 1 s"].into_iter().zip(nginx.ports()) {
        rows.extend(both(scenario, uri(*port)).await?);
    }
    Ok(rows)
}

async fn by_age(tools: &Tools, stack: Stack, scenario: &str) -> Result<[Row; 2], Failure> {
    let limits = Limits {
        streams: None,
        age: Some(AGE),
    };
    let server = stack.start(tools, limits).await?;
    both(scenario, server.uri()).await
}

/// The pool, and a `Channel` for comparison.
async fn both(scenario: &str, uri: String) -> Result<[Row; 2], Failure> {
    let (pool, replays) = pool(uri.clone())?;
    let client = Client::new(pool.clone());
    let outcomes = load::at_rate(PER_SECOND, LENGTH, || client.slow(CALL_MS)).await;
    let opened = opened(&pool);
    let verdict = Verdict::of(
        &[
            (load::failures(&outcomes) == 0, "no call fails"),
            (opened >= FEWEST, "connections were recycled"),
        ],
        format!("{} calls sent again {}", replays.count(), Failures::of(&outcomes)),
    );
    let judged = Row::of(scenario, &outcomes, opened, verdict);

    let channel = Endpoint::from_shared(uri)?.connect_lazy();
    let outcomes = load::at_rate(PER_SECOND, LENGTH, || over_channel(&channel, CALL_MS)).await;
    let verdict = Verdict::Unjudged(Failures::of(&outcomes).to_string());
    Ok([
        judged,
        Row::of(format!("{scenario}: tonic Channel"), &outcomes, "", verdict),
    ])
}

fn opened(pool: &Pool) -> u64 {
    pool.stats().opened
}
