//! Answers of nginx itself, which are not gRPC: pages in HTML with an HTTP status.
//!
//! The code is that of gRPC's mapping of HTTP statuses, and the page is never taken for a message.

use pool_runtime::{Error, Pool};
use tests::pb::TestRequest;
use tonic::{Code, Status};

use crate::Failure;
use crate::load::{self, Failures, Outcome};
use crate::peer::{Process, uri};
use crate::pooled::Client;
use crate::table::{Row, Verdict};
use crate::tonic_server::TonicServer;
use crate::tools::Tools;

const CALLS: usize = 10;
/// The port in `nginx.conf` that answers so.
const PORT: usize = 2;

pub(super) async fn rows(tools: &Tools) -> Vec<Row> {
    play(tools)
        .await
        .unwrap_or_else(|failure| vec![Row::bare("nginx, pages", Verdict::not_played(failure))])
}

async fn play(tools: &Tools) -> Result<Vec<Row>, Failure> {
    let backend = TonicServer::start(None, None).await?;
    let nginx = Process::start(tools.nginx(backend.port())?).await?;
    let client = Client::new(Pool::builder(uri(nginx.ports()[PORT])).build()?);
    let request = TestRequest::default;

    let bad_gateway = load::at_once(CALLS, || {
        let client = client.clone();
        async move { client.unary(request()).await.map(drop) }
    })
    .await;
    let limited = load::at_once(CALLS, || {
        let client = client.clone();
        async move { client.read(request()).await.map(drop) }
    })
    .await;
    let not_found = load::at_once(CALLS, || {
        let client = client.clone();
        async move { client.server_stream(request()).await.map(drop) }
    })
    .await;
    Ok(vec![
        judge("nginx, 502 page", &bad_gateway, CALLS, Code::Unavailable),
        // One call a minute goes through.
        judge("nginx, 429 page", &limited, CALLS - 1, Code::Unavailable),
        judge("nginx, 404 page to a stream", &not_found, CALLS, Code::Unimplemented),
    ])
}

fn judge(scenario: &str, outcomes: &[Outcome], failures: usize, code: Code) -> Row {
    let is_told = |status: &Status| status.code() == code && Error::of(status).is_some();
    let verdict = Verdict::of(
        &[
            (
                load::failures(outcomes) == failures,
                "as many fail as nginx answers itself",
            ),
            (
                outcomes.iter().filter_map(Outcome::failure).all(is_told),
                "with the code of the mapping",
            ),
        ],
        Failures::of(outcomes).to_string(),
    );
    Row::of(scenario, outcomes, "", verdict)
}
