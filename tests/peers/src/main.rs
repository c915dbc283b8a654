//! The pool against servers that are not made of the same parts: grpcio (the C core), grpc-js and nginx, and tonic's
//! own server beside them.
//!
//! Run by `tests/peers/run`, which installs them. Every scenario ends in rows of one table; a row is judged by claims
//! that hold or do not. What is measured in time has slack for a busy machine, and is still no benchmark.

mod load;
mod peer;
mod pooled;
mod scenarios;
mod table;
mod tonic_server;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::tools::Tools;

/// Whatever kept a scenario from being played: not a verdict on the pool.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    tools: Tools,
    /// Fail also when a scenario is skipped because a peer could not be had.
    #[arg(long)]
    strict: bool,
    /// The scenarios to play, by the beginning of their names. Default: all.
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let Arguments { tools, strict, only } = Arguments::parse();
    let rows = scenarios::play(Arc::new(tools), &only).await;
    let failed = rows.iter().any(|row| row.verdict.is_failure(strict));
    println!("{}", table::Table(&rows));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
