//! A server that calls are made to: a process, or tonic's own in this one.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::Failure;
use crate::tonic_server::TonicServer;

/// How long a server may take to start, and a report to come: this is not what is judged.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a server has seen so far.
#[derive(Debug, Default, Clone, Deserialize)]
pub(crate) struct Report {
    pub(crate) calls: u64,
    pub(crate) connections: u64,
    /// The most calls in progress at once on one connection.
    pub(crate) most_streams: u64,
    /// Calls that did not come to their own end.
    pub(crate) cancelled: u64,
    /// The attempts of each key of a script, in order.
    #[serde(default)]
    pub(crate) attempts: HashMap<String, Vec<Attempt>>,
}

/// One attempt: its `grpc-previous-rpc-attempts`, and when it came, in seconds of the server's clock.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Attempt(pub(crate) Option<u32>, pub(crate) f64);

/// A running server; ends when it is dropped.
pub(crate) enum Peer {
    Process(Box<Process>),
    Tonic(TonicServer),
}

impl Peer {
    /// Starts a process and waits until it listens.
    pub(crate) async fn start(command: Command) -> Result<Self, Failure> {
        Ok(Self::Process(Box::new(Process::start(command).await?)))
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Process(process) => process.ports[0],
            Self::Tonic(server) => server.port(),
        }
    }

    pub(crate) fn uri(&self) -> String {
        uri(self.port())
    }

    pub(crate) async fn report(&mut self) -> Result<Report, Failure> {
        match self {
            Self::Process(process) => process.report().await,
            Self::Tonic(server) => Ok(server.report()),
        }
    }

    /// Asks for reports until one is as wanted, and tells how long that took.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Report) -> bool) -> Result<Option<Duration>, Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if wanted(&self.report().await?) {
                return Ok(Some(began.elapsed()));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(None)
    }
}

/// The target of a port of this machine.
pub(crate) fn uri(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A server in a process of its own. It prints its ports, answers each line with a report, and ends with its input.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    output: Output,
    ports: Vec<u16>,
}

impl Process {
    pub(crate) async fn start(mut command: Command) -> Result<Self, Failure> {
        // Not to be killed on drop, which would leave nginx behind its script: the end of its input ends it.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("a server has no input")?;
        let output = child.stdout.take().ok_or("a server has no output")?;
        let mut output = BufReader::new(output).lines();
        let ports = line(&mut output).await?;
        let ports = ports.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self {
            child,
            input,
            output,
            ports,
        })
    }

    pub(crate) fn ports(&self) -> &[u16] {
        &self.ports
    }

    async fn report(&mut self) -> Result<Report, Failure> {
        self.input.write_all(b"\n").await?;
        Ok(serde_json::from_str(&line(&mut self.output).await?)?)
    }

    /// SIGKILL: no time for a GOAWAY.
    pub(crate) async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}

/// What a process prints, line by line.
pub(crate) type Output = Lines<BufReader<ChildStdout>>;

/// The next line; an error if none comes.
pub(crate) async fn line(output: &mut Output) -> Result<String, Failure> {
    let line = timeout(PATIENCE, output.next_line())
        .await
        .map_err(|_| "a server says nothing")??;
    line.ok_or_else(|| "a server has ended".into())
}
