//! The reference clients: programs that are given cases and tell the status codes they came to.

use std::fmt;
use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::cases::{Case, REFERENCE};
use crate::Failure;
use crate::peer::{Output, line};
use crate::tools::Tools;

/// Which client.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reference {
    /// For retries.
    Grpcio,
    /// For hedging.
    GrpcJs,
}

/// A running client; ends when it is dropped, as its input does.
pub(super) struct ReferenceClient {
    _child: Child,
    input: ChildStdin,
    output: Output,
}

impl ReferenceClient {
    pub(super) fn start(tools: &Tools, reference: Reference, port: u16) -> Result<Self, Failure> {
        let command = match reference {
            Reference::Grpcio => tools.grpcio_client(port),
            Reference::GrpcJs => tools.grpc_js_client(port),
        };
        let mut child = command?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("a client has no input")?;
        let output = child.stdout.take().ok_or("a client has no output")?;
        Ok(Self {
            _child: child,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Makes the calls of a case, and tells how they ended.
    pub(super) async fn play(&mut self, case: &Case) -> Result<Vec<i32>, Failure> {
        let calls: Vec<_> = case.requests_as_json(REFERENCE).collect();
        let text = json!({ "config": case.config, "calls": calls }).to_string();
        self.input.write_all(text.as_bytes()).await?;
        self.input.write_all(b"\n").await?;
        Ok(serde_json::from_str(&line(&mut self.output).await?)?)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grpcio => "grpcio",
            Self::GrpcJs => "grpc-js",
        })
    }
}
