//! Minutes of calls of all kinds against servers of all kinds of faults: does anything grow?
//!
//! `cargo run --release -p tests --bin soak -- --minutes 2`
//!
//! The servers are a process of their own ([`servers`]), so that all that this one holds is the client's. Callers
//! ([`load`]) call, cancel, resize and close pools; every few seconds they pause, and what is then left is compared with
//! what there should be ([`watch`]). The exit code says whether all was well.

mod load;
mod servers;
mod watch;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use self::load::Load;
use self::watch::Watch;

/// Time between two looks.
const ROUND: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    if args.iter().any(|arg| arg == servers::ARGUMENT) {
        runtime.block_on(servers::run());
        return ExitCode::SUCCESS;
    }
    let Some(minutes) = minutes(&args) else {
        eprintln!("usage: soak [--minutes <number>]");
        return ExitCode::FAILURE;
    };
    match runtime.block_on(soak(Duration::from_secs_f64(minutes * 60.0))) {
        Ok(()) => {
            println!("nothing grew");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("FAILED: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Two, unless told otherwise.
fn minutes(args: &[String]) -> Option<f64> {
    match args {
        [] => Some(2.0),
        [name, value] if name == "--minutes" => value.parse().ok().filter(|&minutes| minutes > 0.0 && minutes < 1e6),
        _ => None,
    }
}

async fn soak(time: Duration) -> Result<(), String> {
    let (_child, uris) = start_servers()?;
    let load = Load::new(&uris);
    let mut watch = Watch::new(&load);
    let rounds = (time.as_secs_f64() / ROUND.as_secs_f64()).ceil() as usize;
    for _ in 0..rounds.max(watch::FEWEST) {
        load.run(ROUND).await;
        watch.look(&load).await?;
    }
    watch.judge_memory()?;
    load.close().await;
    watch.look_at_the_end().await
}

/// Ends the servers' process when it is dropped.
struct Servers(Child);

impl Drop for Servers {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the servers' process; gives their targets.
fn start_servers() -> Result<(Servers, Vec<String>), String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let child = Command::new(this)
        .arg(servers::ARGUMENT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Servers(child.map_err(|error| format!("the servers do not start: {error}"))?);
    let output = child.0.stdout.take().ok_or("the servers have no output")?;
    let lines = BufReader::new(output).lines().take(servers::COUNT);
    let uris: Vec<String> = lines.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if uris.len() < servers::COUNT {
        return Err("the servers did not tell where they are".into());
    }
    Ok((child, uris))
}
