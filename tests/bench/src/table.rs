//! The comparison as text.

use std::fmt;

use crate::compare::{Cell, Row};
use crate::stats::Spread;

/// One cell of the comparison, as a table for a terminal.
#[derive(Debug)]
pub struct Table<'a>(pub &'a Cell, pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0)?;
        writeln!(
            f,
            "{:<24}{:>10} {:<20}{:>9} {:<8}{:>9} {:<20}{:>9} {:<20}",
            "",
            "calls/s",
            " ratio (quartiles)",
            "p50 us",
            " ratio",
            "p99 us",
            " ratio (quartiles)",
            "CPU us",
            " ratio (quartiles)",
        )?;
        for row in self.1 {
            writeln!(
                f,
                "{:<24}{:>10.0} {:<20}{:>9.1} {:<8}{:>9.1} {:<20}{:>9.2} {:<20}",
                row.variant.title(),
                row.sample.throughput,
                ratio(row.throughput),
                micros(row.sample.p50),
                format!(" {:.2}", row.p50.median),
                micros(row.sample.p99),
                ratio(row.p99),
                micros(row.sample.cpu),
                ratio(row.cpu),
            )?;
        }
        Ok(())
    }
}

fn ratio(spread: Spread) -> String {
    format!(" {:.2} ({:.2}-{:.2})", spread.median, spread.low, spread.high)
}

fn micros(seconds: f64) -> f64 {
    seconds * 1e6
}
