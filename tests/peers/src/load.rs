//! Calls at once and calls at a rate, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use tonic::{Code, Status};

/// What became of one call. Times count from the beginning of the load.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) result: Result<(), Status>,
}

impl Outcome {
    pub(crate) fn took(&self) -> Duration {
        self.ended.saturating_sub(self.began)
    }

    pub(crate) fn failure(&self) -> Option<&Status> {
        self.result.as_ref().err()
    }
}

/// Makes `calls` calls at once.
pub(crate) async fn at_once<F, C>(calls: usize, call: F) -> Vec<Outcome>
where
    F: Fn() -> C,
    C: Future<Output = Result<(), Status>> + Send + 'static,
{
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..calls {
        running.spawn(measure(began, call()));
    }
    running.join_all().await
}

/// Makes `per_second` calls each second for `length`, whether those before have ended or not, and waits for all.
pub(crate) async fn at_rate<F, C>(per_second: u32, length: Duration, call: F) -> Vec<Outcome>
where
    F: Fn() -> C,
    C: Future<Output = Result<(), Status>> + Send + 'static,
{
    let began = Instant::now();
    let mut running = JoinSet::new();
    // What a busy machine delays is made up for at once, so the number of calls is always the same.
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    for _ in 0..u64::from(per_second) * length.as_secs() {
        ticks.tick().await;
        running.spawn(measure(began, call()));
    }
    running.join_all().await
}

async fn measure(origin: Instant, call: impl Future<Output = Result<(), Status>>) -> Outcome {
    let began = origin.elapsed();
    let result = call.await;
    Outcome {
        began,
        ended: origin.elapsed(),
        result,
    }
}

/// How many calls failed.
pub(crate) fn failures(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| outcome.result.is_err()).count()
}

/// The longest that a call took.
pub(crate) fn slowest<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Duration {
    outcomes.into_iter().map(Outcome::took).max().unwrap_or_default()
}

/// The failures by code, each with the first message seen, and the last where it is another.
pub(crate) struct Failures<'a>(BTreeMap<i32, Vec<&'a Status>>);

impl<'a> Failures<'a> {
    pub(crate) fn of(outcomes: &'a [Outcome]) -> Self {
        let mut codes = BTreeMap::<_, Vec<_>>::new();
        for status in outcomes.iter().filter_map(Outcome::failure) {
            codes.entry(i32::from(status.code())).or_default().push(status);
        }
        Self(codes)
    }
}

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (code, failures)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{} {:?} (", failures.len(), Code::from(*code))?;
            match failures[..] {
                [first, .., last] if first.message() != last.message() => {
                    write!(f, "first: {}; last: {})", first.message(), last.message())?;
                }
                [first, ..] => write!(f, "{})", first.message())?,
                [] => {}
            }
        }
        Ok(())
    }
}
