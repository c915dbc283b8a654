//! Client-side instructions per call, counted by valgrind's callgrind.
//!
//! A client makes N calls under callgrind, and another makes 2N; the difference, over N, is what a call costs without
//! what it costs to start and to connect. The server is a process of its own and is not counted.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bench::client::{Caller, Job, Setup, Variant, Visitor};
use bench::process::{self, ServerProcess};
use bench::{Failure, load};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Counts the client's instructions per unary call on one connection, against a bare tonic Channel.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    role: Option<Role>,
    /// Calls in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 256])]
    concurrency: Vec<usize>,
    /// What to measure; the Channel is always measured.
    #[arg(long, value_delimiter = ',', default_values = ["ours", "ours-plain", "hyper", "floor"])]
    variant: Vec<Variant>,
    /// What the calls use: nothing, and everything.
    #[arg(long, value_delimiter = ',', default_values = ["bare", "default", "all"])]
    extras: Vec<Extras>,
    /// N.
    #[arg(long, default_value_t = 2048)]
    calls: usize,
    /// Bytes in a message.
    #[arg(long, default_value_t = 16)]
    bytes: usize,
    /// A directory that keeps callgrind's output of every run, for `callgrind_annotate`.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Makes calls and ends: what runs under callgrind.
    #[command(hide = true)]
    Client(Client),
}

#[derive(Debug, Clone, Args)]
struct Client {
    address: SocketAddr,
    variant: Variant,
    extras: Extras,
    concurrency: usize,
    bytes: usize,
    calls: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extras {
    /// Nothing.
    Bare,
    /// What this project's client has unless it is told otherwise: a deadline of 30 s, and retries, of which a call
    /// that succeeds makes no use. The others have neither.
    Default,
    /// A deadline on each call.
    Deadline,
    /// Two headers of the caller's own.
    Metadata,
    /// An observer of the pool's events; nothing for those that have no pool.
    Observer,
    /// A deadline, metadata and an observer.
    All,
}

fn main() -> Result<(), Failure> {
    if process::is_server() {
        return process::serve();
    }
    let options = Options::parse();
    match &options.role {
        Some(Role::Client(client)) => make_calls(client),
        None => compare(&options),
    }
}

// ----- what runs under callgrind -----

fn make_calls(client: &Client) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut job = Job::unary(client.bytes);
    job.deadline = client.extras.has(Extras::Deadline).then_some(Duration::from_secs(3600));
    job.metadata = client.extras.has(Extras::Metadata);
    let setup = Setup {
        address: client.address,
        job,
        observed: client.extras.has(Extras::Observer),
        defaults: client.extras == Extras::Default,
    };
    runtime.block_on(client.variant.visit(&setup, client))
}

impl Visitor for &Client {
    type Output = ();

    async fn visit<C: Caller>(self, caller: C, job: &Job) -> Result<(), Failure> {
        load::count(&caller, job, self.concurrency, self.calls).await
    }
}

impl Extras {
    fn has(self, extra: Self) -> bool {
        self == extra || self == Self::All
    }
}

// ----- the comparison -----

fn compare(options: &Options) -> Result<(), Failure> {
    let server = ServerProcess::start()?;
    println!(
        "instructions per unary call of {} bytes on one connection",
        options.bytes
    );
    println!(
        "{:>11} {:>9} {:>11} {:>10} {:>6}",
        "concurrency", "extras", "client", "per call", "ratio"
    );
    for &concurrency in &options.concurrency {
        for &extras in &options.extras {
            let mut channel = None;
            for variant in variants(options) {
                let client = Client {
                    address: server.address(),
                    variant,
                    extras,
                    concurrency,
                    bytes: options.bytes,
                    calls: options.calls,
                };
                let count = per_call(&client, options.keep.as_deref())?;
                let base = *channel.get_or_insert(count);
                println!(
                    "{concurrency:>11} {:>9} {:>11} {count:>10.0} {:>6.3}",
                    name(extras),
                    name(variant),
                    count / base,
                );
            }
        }
    }
    Ok(())
}

/// The Channel first: the others are compared with it.
fn variants(options: &Options) -> impl Iterator<Item = Variant> {
    let others = options.variant.iter().copied();
    std::iter::once(Variant::Channel).chain(others.filter(|variant| *variant != Variant::Channel))
}

fn per_call(client: &Client, keep: Option<&Path>) -> Result<f64, Failure> {
    let once = count(client, keep)?;
    let mut longer = client.clone();
    longer.calls = 2 * client.calls;
    let twice = count(&longer, keep)?;
    Ok((twice - once) / client.calls as f64)
}

/// One run under callgrind; its instructions in all.
fn count(client: &Client, keep: Option<&Path>) -> Result<f64, Failure> {
    let file = format!(
        "callgrind.{}.{}.c{}.n{}",
        name(client.variant),
        name(client.extras),
        client.concurrency,
        client.calls
    );
    let path = keep.map_or_else(std::env::temp_dir, Path::to_path_buf).join(file);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", path.display()))
        .arg(std::env::current_exe()?)
        .args(["client", &client.address.to_string()])
        .args([name(client.variant), name(client.extras)])
        .args([client.concurrency, client.bytes, client.calls].map(|number| number.to_string()))
        .output()
        .map_err(|error| format!("cannot run valgrind, which does the counting: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let profile = fs::read_to_string(&path)?;
    if keep.is_none() {
        fs::remove_file(&path)?;
    }
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.ok_or("callgrind wrote no totals")?.parse()?)
}

/// What a value is called on the command line.
fn name(value: impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
