//! The comparison: variants in random order, round after round, each round's figures as ratios to the Channel's in the
//! same round.
//!
//! Client and server share a machine that has other things to do, so figures of their own mean little; what happened
//! at the same time is comparable. Every measurement has a runtime and connections of its own, and the order is drawn
//! anew in each round, so that nobody always comes after the same neighbour.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::ValueEnum;
use tokio::runtime;

use crate::Failure;
use crate::client::{Caller, Job, Setup, Shape, Variant, Visitor};
use crate::load::{self, Sample};
use crate::stats::Spread;

/// Which of tokio's schedulers the client runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// One thread.
    CurrentThread,
    /// Two worker threads.
    MultiThread,
}

/// One point of the comparison: what all variants are measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The client's scheduler.
    pub scheduler: Scheduler,
    /// Which sides stream.
    pub shape: Shape,
    /// Bytes in a message.
    pub bytes: usize,
    /// Calls in flight.
    pub concurrency: usize,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// How often.
    pub rounds: usize,
    /// Unmeasured, before each measurement.
    pub warm_up: Duration,
    /// Measured.
    pub measured: Duration,
}

/// A variant's figures, and what they are to the Channel's.
#[derive(Debug)]
pub struct Row {
    /// Whose they are.
    pub variant: Variant,
    /// The medians.
    pub sample: Sample,
    /// Calls per second; more is better.
    pub throughput: Spread,
    /// A call's time; less is better.
    pub p50: Spread,
    /// A slow call's time; less is better.
    pub p99: Spread,
    /// The client's processor time per call; less is better.
    pub cpu: Spread,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheduler = match self.scheduler {
            Scheduler::CurrentThread => "current_thread",
            Scheduler::MultiThread => "multi_thread(2)",
        };
        let shape = match self.shape {
            Shape::Unary => "unary",
            Shape::ServerStreaming => "server streaming",
            Shape::ClientStreaming => "client streaming",
            Shape::Bidi => "both streaming",
        };
        let (size, unit) = match self.bytes {
            bytes if bytes >= 1024 => (bytes / 1024, "KiB"),
            bytes => (bytes, "B"),
        };
        write!(f, "{shape}, {size} {unit}, {} in flight, {scheduler}", self.concurrency)
    }
}

impl Effort {
    /// How long all this takes, less what connecting takes.
    #[must_use]
    pub fn total(&self, cells: usize, variants: usize) -> Duration {
        (self.warm_up + self.measured) * u32::try_from(self.rounds * cells * variants).unwrap_or(u32::MAX)
    }
}

/// Measures all variants at one point, in the order they are given; the Channel must be among them.
///
/// # Errors
///
/// A call failed: there is nothing to compare then.
pub fn measure(cell: &Cell, variants: &[Variant], effort: Effort, address: SocketAddr) -> Result<Vec<Row>, Failure> {
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        let mut order = variants.to_vec();
        fastrand::shuffle(&mut order);
        let mut round = HashMap::new();
        for variant in order {
            let sample = once(cell, variant, effort, address)
                .map_err(|error| format!("{} at {cell}: {error}", variant.title()))?;
            round.insert(variant, sample);
        }
        rounds.push(round);
    }
    Ok(variants.iter().map(|variant| row(*variant, &rounds)).collect())
}

fn once(cell: &Cell, variant: Variant, effort: Effort, address: SocketAddr) -> Result<Sample, Failure> {
    let runtime = match cell.scheduler {
        Scheduler::CurrentThread => runtime::Builder::new_current_thread().enable_all().build()?,
        Scheduler::MultiThread => runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?,
    };
    let setup = Setup {
        address,
        job: cell.job(),
        observed: false,
        defaults: true,
    };
    runtime.block_on(variant.visit(&setup, Timing(cell, effort)))
}

impl Cell {
    fn job(&self) -> Job {
        Job {
            shape: self.shape,
            messages: match self.shape {
                Shape::Unary => 1,
                _ => MESSAGES,
            },
            ..Job::unary(self.bytes)
        }
    }
}

/// Messages on a side that streams.
const MESSAGES: u32 = 16;

struct Timing<'a>(&'a Cell, Effort);

impl Visitor for Timing<'_> {
    type Output = Sample;

    async fn visit<C: Caller>(self, client: C, job: &Job) -> Result<Sample, Failure> {
        let Self(cell, effort) = self;
        load::time(&client, job, cell.concurrency, effort.warm_up, effort.measured).await
    }
}

fn row(variant: Variant, rounds: &[HashMap<Variant, Sample>]) -> Row {
    let samples = || rounds.iter().filter_map(|round| round.get(&variant));
    let median = |figure: fn(&Sample) -> f64| Spread::of(samples().map(figure)).median;
    let ratio = |figure: fn(&Sample) -> f64| {
        Spread::of(rounds.iter().filter_map(|round| {
            let (own, channel) = (round.get(&variant)?, round.get(&Variant::Channel)?);
            Some(figure(own) / figure(channel))
        }))
    };
    Row {
        variant,
        sample: Sample {
            throughput: median(|sample| sample.throughput),
            p50: median(|sample| sample.p50),
            p99: median(|sample| sample.p99),
            cpu: median(|sample| sample.cpu),
        },
        throughput: ratio(|sample| sample.throughput),
        p50: ratio(|sample| sample.p50),
        p99: ratio(|sample| sample.p99),
        cpu: ratio(|sample| sample.cpu),
    }
}
