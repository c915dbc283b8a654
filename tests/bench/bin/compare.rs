//! Throughput, times and processor time of every variant beside each other, as a table and as a chart.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bench::Failure;
use bench::chart::Chart;
use bench::client::{Shape, Variant};
use bench::compare::{Cell, Effort, Scheduler, measure};
use bench::process::{self, ServerProcess};
use bench::table::Table;
use clap::{Parser, ValueEnum};

/// Compares ways to make gRPC calls with a bare tonic Channel, in random order, against one server.
#[derive(Debug, Parser)]
struct Options {
    /// What to compare with the Channel. Default: everything.
    #[arg(long, value_delimiter = ',')]
    variant: Vec<Variant>,
    /// Calls in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [64])]
    concurrency: Vec<usize>,
    /// Bytes in a message.
    #[arg(long, value_delimiter = ',', default_values_t = [16])]
    bytes: Vec<usize>,
    /// Which sides stream; on a side that does, 16 messages.
    #[arg(long, value_delimiter = ',', default_values = ["unary"])]
    shape: Vec<Shape>,
    /// The client's scheduler.
    #[arg(long, value_delimiter = ',', default_values = ["multi-thread"])]
    scheduler: Vec<Scheduler>,
    /// Everything: concurrency 1 to 1024, 16 B to 256 KiB, all shapes, both schedulers.
    #[arg(long)]
    full: bool,
    /// How often each is measured.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Milliseconds of a measurement; a fifth of it comes before as a warm-up.
    #[arg(long, default_value_t = 500)]
    millis: u64,
    /// Where to write the chart.
    #[arg(long)]
    svg: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    if process::is_server() {
        return process::serve();
    }
    let options = Options::parse();
    let (cells, variants) = (options.cells(), options.variants());
    let effort = options.effort();
    println!(
        "{} points, {} variants, {} rounds: about {:.0} s\n",
        cells.len(),
        variants.len(),
        effort.rounds,
        effort.total(cells.len(), variants.len()).as_secs_f64()
    );
    let server = ServerProcess::start()?;
    let mut results = Vec::new();
    for cell in cells {
        let rows = measure(&cell, &variants, effort, server.address())?;
        println!("{}", Table(&cell, &rows));
        results.push((cell, rows));
        // After each point, so that a run that is broken off has its chart too.
        if let Some(path) = &options.svg {
            fs::write(path, Chart(&results).to_string())?;
        }
    }
    Ok(())
}

impl Options {
    fn cells(&self) -> Vec<Cell> {
        let (schedulers, shapes, sizes, concurrencies) = match self.full {
            true => (
                Scheduler::value_variants(),
                Shape::value_variants(),
                &[16, 4 << 10, 256 << 10][..],
                &[1, 16, 64, 256, 1024][..],
            ),
            false => (
                &self.scheduler[..],
                &self.shape[..],
                &self.bytes[..],
                &self.concurrency[..],
            ),
        };
        let mut cells = Vec::new();
        for &scheduler in schedulers {
            for &shape in shapes {
                for &bytes in sizes {
                    cells.extend(concurrencies.iter().map(|&concurrency| Cell {
                        scheduler,
                        shape,
                        bytes,
                        concurrency,
                    }));
                }
            }
        }
        cells
    }

    fn variants(&self) -> Vec<Variant> {
        let chosen = match self.variant[..] {
            [] => Variant::value_variants(),
            _ => &self.variant[..],
        };
        let others = chosen.iter().copied().filter(|variant| *variant != Variant::Channel);
        std::iter::once(Variant::Channel).chain(others).collect()
    }

    fn effort(&self) -> Effort {
        let measured = Duration::from_millis(self.millis);
        Effort {
            rounds: self.rounds,
            warm_up: measured / 5,
            measured,
        }
    }
}
