//! What came of a case: what the caller was told, and what the server saw.

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;
use tonic::Code;

use super::cases::Case;
use crate::Failure;
use crate::peer::{Attempt, Peer};

/// An attempt that was sent when another had already won may reach the server later than the answer its caller.
const SETTLE: Duration = Duration::from_millis(50);

/// The calls of a case, in order.
pub(super) struct Seen {
    pub(super) codes: Vec<i32>,
    attempts: Vec<Vec<Attempt>>,
}

impl Seen {
    /// Adds what the server has seen to the codes that `who` was told.
    pub(super) async fn of(server: &mut Peer, case: &Case, who: &str, codes: Vec<i32>) -> Result<Self, Failure> {
        sleep(SETTLE).await;
        let mut report = server.report().await?;
        let attempts = case
            .keys(who)
            .map(|key| report.attempts.remove(&key).unwrap_or_default())
            .collect();
        Ok(Self { codes, attempts })
    }

    /// What each attempt of each call said of those before it.
    pub(super) fn previous(&self) -> Vec<Vec<Option<u32>>> {
        let previous = |call: &Vec<Attempt>| call.iter().map(|Attempt(previous, _)| *previous).collect();
        self.attempts.iter().map(previous).collect()
    }

    /// Whether each second attempt came so long after the first; true if none was asked for.
    pub(super) fn waited(&self, least: Option<Duration>) -> bool {
        let Some(least) = least else { return true };
        self.attempts.iter().all(|call| match call[..] {
            [Attempt(_, first), Attempt(_, second), ..] => second - first >= least.as_secs_f64(),
            _ => false,
        })
    }

    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.codes == other.codes && self.previous() == other.previous()
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (code, attempts)) in self.codes.iter().zip(self.previous()).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let said: Vec<_> = attempts
                .iter()
                .map(|n| n.map_or("-".to_owned(), |n| n.to_string()))
                .collect();
            let n = said.len();
            write!(f, "{comma}{:?} after {n} ({})", Code::from(*code), said.join(" "))?;
        }
        Ok(())
    }
}
