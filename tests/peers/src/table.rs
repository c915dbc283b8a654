//! What came of the scenarios, for a terminal.

use std::fmt;
use std::time::Duration;

use crate::load::Outcome;
use crate::tools::Missing;
use crate::{Failure, load};

/// One line of the table.
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) calls: usize,
    pub(crate) failures: usize,
    pub(crate) connections: String,
    /// What was timed is up to the scenario: mostly its slowest call.
    pub(crate) time: Duration,
    pub(crate) verdict: Verdict,
}

/// Whether the pool did as it should.
pub(crate) enum Verdict {
    /// It did; with what is worth knowing beside.
    Good(String),
    /// It did not; what was claimed and does not hold.
    Bad(String),
    /// Somebody else, for comparison.
    Unjudged(String),
    /// A peer could not be had.
    Skipped(Missing),
    /// The scenario could not be played.
    Broken(Failure),
}

impl Verdict {
    /// `note` if all claims hold, else those that do not, and the note.
    pub(crate) fn of(claims: &[(bool, &str)], note: impl Into<String>) -> Self {
        let note = note.into();
        let broken: Vec<_> = claims
            .iter()
            .filter(|(holds, _)| !holds)
            .map(|(_, claim)| *claim)
            .collect();
        if broken.is_empty() {
            Self::Good(note)
        } else {
            Self::Bad(format!("not so: {}. {note}", broken.join("; ")))
        }
    }

    /// What it means that a scenario was not played to its end.
    pub(crate) fn not_played(failure: Failure) -> Self {
        match failure.downcast() {
            Ok(missing) => Self::Skipped(*missing),
            Err(failure) => Self::Broken(failure),
        }
    }

    pub(crate) fn is_failure(&self, strict: bool) -> bool {
        match self {
            Self::Good(_) | Self::Unjudged(_) => false,
            Self::Bad(_) | Self::Broken(_) => true,
            Self::Skipped(_) => strict,
        }
    }
}

impl Row {
    /// A row about calls, with the slowest as its time.
    pub(crate) fn of(
        scenario: impl Into<String>,
        outcomes: &[Outcome],
        connections: impl ToString,
        verdict: Verdict,
    ) -> Self {
        Self {
            scenario: scenario.into(),
            calls: outcomes.len(),
            failures: load::failures(outcomes),
            connections: connections.to_string(),
            time: load::slowest(outcomes),
            verdict,
        }
    }

    /// A row without figures.
    pub(crate) fn bare(scenario: impl Into<String>, verdict: Verdict) -> Self {
        Self::of(scenario, &[], "", verdict)
    }
}

/// All rows, aligned.
pub(crate) struct Table<'a>(pub(crate) &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<40}{:>6}{:>10}{:>13}{:>9}  verdict",
            "scenario", "calls", "failures", "connections", "time"
        )?;
        self.0
            .iter()
            .try_for_each(|row| writeln!(f, "{}", row.to_string().trim_end()))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            scenario,
            calls,
            failures,
            connections,
            time,
            verdict,
        } = self;
        let time = time.as_secs_f64();
        write!(
            f,
            "{scenario:<40}{calls:>6}{failures:>10}{connections:>13}{time:>7.2} s  {verdict}"
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(note) => write!(f, "ok       {note}"),
            Self::Bad(what) => write!(f, "FAILED   {what}"),
            Self::Unjudged(note) => write!(f, "-        {note}"),
            Self::Skipped(missing) => write!(f, "skipped  {missing}"),
            Self::Broken(failure) => write!(f, "BROKEN   could not be played: {failure}"),
        }
    }
}
