//! Retries and hedging beside the reference clients: the same service config, the same calls, the same server.
//!
//! What is compared is what the caller is told, the status codes, and what the server has seen: the number of attempts,
//! and what each said of those before it. grpcio is the reference for retries, grpc-js for hedging, which grpcio does
//! not do, and for what grpcio gets wrong.

mod cases;
mod reference;
mod seen;

use std::time::Duration;

use pool_runtime::Pool;
use tokio::time::Instant;

use self::cases::Case;
use self::reference::{Reference, ReferenceClient};
use self::seen::Seen;
use crate::Failure;
use crate::peer::Peer;
use crate::pooled::Client;
use crate::table::{Row, Verdict};
use crate::tools::Tools;

const DEADLINE: Duration = Duration::from_secs(10);

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    let mut rows = Vec::new();
    for reference in [Reference::Grpcio, Reference::GrpcJs] {
        let played = compare(tools, reference).await;
        rows.extend(played.unwrap_or_else(|failure| {
            let scenario = format!("as {reference} does");
            vec![Row::bare(scenario, Verdict::not_played(failure))]
        }));
    }
    rows
}

async fn compare(tools: &Tools, reference: Reference) -> Result<Vec<Row>, Failure> {
    let mut server = Peer::start(tools.grpcio_server(0, &[])?).await?;
    let mut client = ReferenceClient::start(tools, reference, server.port())?;
    let mut rows = Vec::new();
    for case in cases::all(reference) {
        rows.push(side_by_side(&mut server, &mut client, reference, &case).await?);
    }
    Ok(rows)
}

async fn side_by_side(
    server: &mut Peer,
    client: &mut ReferenceClient,
    reference: Reference,
    case: &Case,
) -> Result<Row, Failure> {
    let codes = client.play(case).await?;
    let theirs = Seen::of(server, case, cases::REFERENCE, codes).await?;
    let began = Instant::now();
    let codes = over_the_pool(server.uri(), case).await?;
    let time = began.elapsed();
    let ours = Seen::of(server, case, cases::POOL, codes).await?;

    let verdict = Verdict::of(
        &[
            (
                case.other_code.is_some() || ours.codes == theirs.codes,
                "the same status codes",
            ),
            (ours.previous() == theirs.previous(), "the same attempts"),
            (ours.waited(case.least_gap), "the wait that the server asked for"),
        ],
        note(case, reference, &ours, &theirs),
    );
    Ok(Row {
        scenario: format!("as {reference}: {}", case.name),
        calls: case.calls.len(),
        failures: ours.codes.iter().filter(|code| **code != 0).count(),
        connections: String::new(),
        time,
        verdict,
    })
}

fn note(case: &Case, reference: Reference, ours: &Seen, theirs: &Seen) -> String {
    if ours.is_as(theirs) {
        return ours.to_string();
    }
    let why = case.other_code.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("pool: {ours}; {reference}: {theirs}{why}")
}

async fn over_the_pool(uri: String, case: &Case) -> Result<Vec<i32>, Failure> {
    let pool = Pool::builder(uri)
        .deadline(DEADLINE)
        .service_config(case.config.to_string())
        .build()?;
    pool.ready(1).await?;
    let client = Client::new(pool);
    let mut codes = Vec::new();
    for request in case.requests(cases::POOL) {
        let answer = client.unary(request).await;
        codes.push(answer.err().map_or(0, |status| status.code().into()));
    }
    Ok(codes)
}
