//! What is played, in which order.

mod burst;
mod cancelled;
mod killed;
mod pages;
mod pings;
mod recycling;
mod retry;
mod silent;
mod stack;

use std::sync::Arc;

use crate::Failure;
use crate::table::{Row, Verdict};
use crate::tools::Tools;

/// Plays the scenarios whose names begin with one of `only`, or all.
pub(crate) async fn play(tools: Arc<Tools>, only: &[String]) -> Vec<Row> {
    let wanted = |name: &str| {
        let wanted = only.is_empty() || only.iter().any(|only| name.starts_with(only));
        if wanted {
            eprintln!("playing: {name}");
        }
        wanted
    };
    // Takes long, and is nothing but waiting.
    let pings = wanted("pings").then(|| tokio::spawn(pings::rows(Arc::clone(&tools))));
    let mut rows = Vec::new();
    if wanted("burst") {
        rows.extend(burst::rows(&tools).await);
    }
    if wanted("recycling") {
        rows.extend(recycling::rows(&tools).await);
    }
    if wanted("silent") {
        rows.extend(silent::rows().await);
    }
    if wanted("killed") {
        rows.extend(killed::rows(&tools).await);
    }
    if wanted("pages") {
        rows.extend(pages::rows(&tools).await);
    }
    if wanted("cancelled") {
        rows.extend(cancelled::rows(&tools).await);
    }
    if wanted("retry") {
        rows.extend(retry::rows(&tools).await);
    }
    if let Some(pings) = pings {
        let broken = |error: tokio::task::JoinError| vec![Row::bare("pings", Verdict::Broken(error.into()))];
        rows.extend(pings.await.unwrap_or_else(broken));
    }
    rows
}

/// The row of a scenario, or that it could not be played and why.
async fn row(scenario: impl Into<String>, played: impl Future<Output = Result<Row, Failure>>) -> Row {
    played
        .await
        .unwrap_or_else(|failure| Row::bare(scenario, Verdict::not_played(failure)))
}
