//! Memory of the client's process per idle connection, and per unary call in flight.
//!
//! Each is measured in a process of its own: the growth of what is resident, over so many of them, on one thread. The
//! server is another process, and answers none of the calls.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use bench::Failure;
use bench::client::{Caller, Job, Setup, Variant, Visitor};
use bench::process::{self, ServerProcess};
use bench::server::UNANSWERED;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pool_runtime::Pool;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tonic::transport::{Channel, Endpoint};

/// How long the process has to come to rest.
const REST: Duration = Duration::from_secs(1);

/// Measures the client's memory per idle connection and per call in flight.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,
    /// Idle connections.
    #[arg(long, default_value_t = 200)]
    connections: usize,
    /// Calls in flight, on one connection.
    #[arg(long, default_value_t = 8192)]
    calls: usize,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// What is measured.
    #[command(hide = true)]
    Client(Client),
}

#[derive(Debug, Clone, Copy, Args)]
struct Client {
    address: SocketAddr,
    what: What,
    variant: Variant,
    count: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Connections,
    Calls,
}

fn main() -> Result<(), Failure> {
    if process::is_server() {
        return process::serve();
    }
    let options = Options::parse();
    if let Some(Role::Client(client)) = &options.role {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let each = runtime.block_on(client.measure())?;
        println!("{each}");
        return Ok(());
    }
    println!(
        "{:<30} {:>14} {:>14}",
        "bytes of the client per", "tonic Channel", "this pool"
    );
    let server = ServerProcess::start()?;
    let rows = [
        ("idle connection", What::Connections, Variant::Ours, options.connections),
        ("unary call in flight", What::Calls, Variant::Ours, options.calls),
        (
            "the same, a plain tonic client",
            What::Calls,
            Variant::OursPlain,
            options.calls,
        ),
    ];
    for (title, what, ours, count) in rows {
        let [channel, ours] = [Variant::Channel, ours].map(|variant| {
            let address = server.address();
            let client = Client {
                address,
                what,
                variant,
                count,
            };
            client.in_a_process()
        });
        println!("{title:<30} {:>14} {:>14}", channel?, ours?);
    }
    Ok(())
}

impl Client {
    fn in_a_process(&self) -> Result<u64, Failure> {
        let output = Command::new(std::env::current_exe()?)
            .args(["client", &self.address.to_string()])
            .args([name(self.what), name(self.variant), self.count.to_string()])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }

    async fn measure(self) -> Result<u64, Failure> {
        match (self.what, self.variant) {
            (What::Connections, Variant::Channel) => self.channels().await,
            (What::Connections, _) => self.connections().await,
            (What::Calls, variant) => {
                let mut job = Job::unary(16);
                job.payload = UNANSWERED.to_owned();
                let setup = Setup {
                    address: self.address,
                    job,
                    observed: false,
                    defaults: true,
                };
                variant.visit(&setup, self).await
            }
        }
    }

    async fn channels(self) -> Result<u64, Failure> {
        let open = || async { Ok::<Channel, Failure>(Endpoint::new(self.uri())?.connect().await?) };
        let first = open().await?;
        let before = resident()?;
        let mut all = vec![first];
        for _ in 0..self.count {
            all.push(open().await?);
        }
        self.grown_since(before).await
    }

    async fn connections(self) -> Result<u64, Failure> {
        let pool = Pool::builder(self.uri())
            .max_connections(self.count + 1)
            .connect()
            .await?;
        let before = resident()?;
        pool.ready(self.count + 1).await?;
        self.grown_since(before).await
    }

    fn uri(self) -> String {
        format!("http://{}", self.address)
    }

    async fn grown_since(self, before: u64) -> Result<u64, Failure> {
        sleep(REST).await;
        Ok(resident()?.saturating_sub(before) / self.count as u64)
    }
}

impl Visitor for Client {
    type Output = u64;

    async fn visit<C: Caller>(self, caller: C, job: &Job) -> Result<u64, Failure> {
        // Whatever the first calls make is there before.
        let mut calls = JoinSet::new();
        call(&mut calls, &caller, job, 64);
        sleep(REST).await;
        let before = resident()?;
        call(&mut calls, &caller, job, self.count);
        self.grown_since(before).await
    }
}

fn call<C: Caller>(calls: &mut JoinSet<()>, caller: &C, job: &Job, count: usize) {
    for _ in 0..count {
        let (mut caller, job) = (caller.clone(), job.clone());
        calls.spawn(async move {
            // Nothing answers, and the end of this process is the end of all of them.
            drop(caller.call(&job).await);
        });
    }
}

/// Bytes of this process that are in memory.
fn resident() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes
        .ok_or("no VmRSS in /proc/self/status")?
        .trim()
        .parse::<u64>()?
        * 1024)
}

/// What a value is called on the command line.
fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
