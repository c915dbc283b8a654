//! A streamed call that the caller drops while its request side is still open.
//!
//! The server must hear of it, or it waits for ever for requests and the slot stays taken.

use tests::pb::TestRequest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::stack::{Limits, Stack};
use crate::Failure;
use crate::pooled::{Client, pool};
use crate::table::{Row, Verdict};
use crate::tools::Tools;

const CALLS: usize = 10;

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    let mut rows = Vec::new();
    for stack in Stack::ALL {
        let scenario = format!("dropped bidi call, {stack}");
        rows.push(super::row(scenario.clone(), play(tools, stack, scenario)).await);
    }
    rows
}

async fn play(tools: &Tools, stack: Stack, scenario: String) -> Result<Row, Failure> {
    let mut server = stack.start(tools, Limits::default()).await?;
    let (pool, _) = pool(server.uri())?;
    let client = Client::new(pool.clone());
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(open(&client).await?);
    }
    let (requests, replies): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
    drop(replies);
    let told = server.until(|report| report.cancelled == CALLS as u64).await?;
    let in_flight = pool.stats().in_flight;
    let verdict = Verdict::of(
        &[
            (told.is_some(), "the server sees every call cancelled"),
            (in_flight == 0, "every slot is free again"),
        ],
        "the time is that until the server has seen it",
    );
    drop(requests);
    Ok(Row {
        scenario,
        calls: CALLS,
        failures: 0,
        connections: pool.stats().opened.to_string(),
        time: told.unwrap_or_default(),
        verdict,
    })
}

type Call = (mpsc::Sender<TestRequest>, Streaming<tests::pb::TestReply>);

/// A call in the middle: one request answered, and more could come.
async fn open(client: &Client) -> Result<Call, Failure> {
    let (requests, received) = mpsc::channel(1);
    requests.send(TestRequest::default()).await?;
    let mut replies = client.bidi(ReceiverStream::new(received)).await?.into_inner();
    replies.message().await?.ok_or("the server does not echo")?;
    Ok((requests, replies))
}
