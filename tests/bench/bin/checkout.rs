//! Checkout and return alone: what a pool adds to a call before anything is sent.

use bench::Failure;
use bench::checkout::Way;
use bench::client::{Job, Setup};
use bench::process::{self, ServerProcess};
use bench::stats::Spread;
use clap::{Parser, ValueEnum};

/// Measures how long it takes to check something out of a pool and to give it back.
#[derive(Debug, Parser)]
struct Options {
    /// Threads that do so at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// How often each is measured, in random order.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
    /// Pairs of checkout and return in a measurement, of each thread.
    #[arg(long, default_value_t = 100_000)]
    pairs: u32,
}

fn main() -> Result<(), Failure> {
    if process::is_server() {
        return process::serve();
    }
    let options = Options::parse();
    let server = ServerProcess::start()?;
    let setup = Setup {
        address: server.address(),
        job: Job::unary(16),
        observed: false,
        defaults: true,
    };
    println!(
        "{:>7}  {:<12} {:>23} {:>18}",
        "threads", "", "ns a pair (quartiles)", "deadpool takes"
    );
    for &threads in &options.threads {
        let samples = measure(&options, threads, &setup)?;
        let deadpool = samples.iter().find(|(way, _)| *way == Way::Deadpool);
        for (way, nanos) in &samples {
            let Spread { low, median, high } = Spread::of(nanos.iter().copied());
            let others = deadpool.iter().flat_map(|(_, nanos)| nanos);
            let ratio = Spread::of(others.zip(nanos).map(|(other, own)| other / own));
            println!(
                "{threads:>7}  {:<12} {:>23} {:>16.2} x",
                way.to_possible_value()
                    .map_or_else(String::new, |value| value.get_name().to_owned()),
                format!("{median:.0} ({low:.0}-{high:.0})"),
                ratio.median
            );
        }
    }
    Ok(())
}

/// Nanoseconds of each way, one sample a round.
fn measure(options: &Options, threads: usize, setup: &Setup) -> Result<Vec<(Way, Vec<f64>)>, Failure> {
    let mut samples: Vec<_> = Way::value_variants().iter().map(|way| (*way, Vec::new())).collect();
    let mut order: Vec<usize> = (0..samples.len()).collect();
    for _ in 0..options.rounds {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let (way, nanos) = &mut samples[index];
            nanos.push(way.pair(setup, threads, options.pairs)?);
        }
    }
    Ok(samples)
}
