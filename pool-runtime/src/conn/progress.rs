//! How far a dial has come.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{Attempt, BoxError, ConnectError};
use super::pace::Pace;
use super::protocol;

/// The steps of opening a connection, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Asking for the addresses of a name. A dial that has not begun is about to do that.
    #[default]
    Resolve,
    /// Opening a socket, or waiting for the user's connector.
    Connect,
    /// The TLS handshake.
    Tls,
    /// The HTTP/2 preface, up to the peer's first SETTINGS.
    Settings,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name resolution",
            Self::Connect => "connecting",
            Self::Tls => "the TLS handshake",
            Self::Settings => "the HTTP/2 handshake",
        })
    }
}

/// Where the attempts of a dial stand.
///
/// The dial is a future that is dropped when the time is up; its knowledge would be lost with it. So it writes
/// its steps down here, outside of itself.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<Vec<Started>>);

/// An attempt that was started. Without any, the name is being resolved.
#[derive(Debug)]
struct Started {
    address: Option<SocketAddr>,
    phase: Phase,
    failure: Option<BoxError>,
    /// Has the bytes of the peer, once HTTP/2 is spoken.
    pace: Option<Arc<Pace>>,
}

/// One attempt, as it reports its steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    progress: &'a Progress,
    index: usize,
}

impl Progress {
    /// Notes that an attempt begins, at this address where it is known.
    pub(super) fn begin(&self, address: Option<SocketAddr>) -> Step<'_> {
        let mut started = self.started();
        started.push(Started {
            address,
            phase: Phase::Connect,
            failure: None,
            pace: None,
        });
        Step {
            progress: self,
            index: started.len() - 1,
        }
    }

    /// The addresses of the attempts that are under way.
    pub(super) fn under_way(&self) -> Vec<SocketAddr> {
        under_way(&self.started())
    }

    /// The error of a dial whose attempts have all failed.
    pub(super) fn failed(&self) -> ConnectError {
        ConnectError::failed(self.attempts())
    }

    /// The error of a dial that was given up `after` that long.
    pub(super) fn timed_out(&self, after: Duration) -> ConnectError {
        ConnectError::timed_out(self.attempts(), after)
    }

    fn attempts(&self) -> Vec<Attempt> {
        let started = std::mem::take(&mut *self.started());
        started.into_iter().map(Attempt::from).collect()
    }

    fn started(&self) -> MutexGuard<'_, Vec<Started>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step<'_> {
    /// Notes that the attempt is in `phase` now.
    pub(super) fn enter(&self, phase: Phase) {
        self.change(|started| started.phase = phase);
    }

    /// Notes that HTTP/2 begins. `pace` has the peer's bytes.
    pub(super) fn enter_settings(&self, pace: &Arc<Pace>) {
        self.change(|started| {
            started.phase = Phase::Settings;
            started.pace = Some(pace.clone());
        });
    }

    /// Notes why the attempt failed.
    pub(super) fn fail(&self, error: BoxError) {
        self.change(|started| started.failure = Some(error));
    }

    /// The addresses of the attempts that began before this one and are still under way.
    pub(super) fn overtaken(&self) -> Vec<SocketAddr> {
        let started = self.progress.started();
        under_way(started.get(..self.index).unwrap_or_default())
    }

    fn change(&self, change: impl FnOnce(&mut Started)) {
        if let Some(started) = self.progress.started().get_mut(self.index) {
            change(started);
        }
    }
}

fn under_way(started: &[Started]) -> Vec<SocketAddr> {
    let under_way = started.iter().filter(|started| started.failure.is_none());
    under_way.filter_map(|started| started.address).collect()
}

impl From<Started> for Attempt {
    fn from(started: Started) -> Self {
        // A peer that sent something else than HTTP/2, and then waits, is not silent.
        let other_protocol = || protocol::explain(&started.pace.as_ref()?.first_bytes());
        Self {
            phase: started.phase,
            address: started.address,
            error: started.failure.or_else(|| other_protocol().map(BoxError::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_timeout_names_each_address_and_its_phase() {
        let progress = Progress::default();
        let after = Duration::from_secs(20);
        let text = |progress: &Progress| progress.timed_out(after).to_string();
        assert_eq!(text(&progress), "name resolution timed out after 20s");

        let step = progress.begin(Some("127.0.0.1:443".parse().unwrap()));
        step.enter(Phase::Tls);
        let error = progress.timed_out(after);
        assert_eq!(
            error.to_string(),
            "the TLS handshake with 127.0.0.1:443 timed out after 20s"
        );
        assert!(error.is_timeout());
        assert_eq!(error.phase(), Phase::Tls);

        let first = progress.begin(Some("[::1]:443".parse().unwrap()));
        first.fail(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        let second = progress.begin(Some("127.0.0.1:443".parse().unwrap()));
        second.enter(Phase::Tls);
        progress.begin(Some("127.0.0.2:443".parse().unwrap()));
        assert_eq!(
            text(&progress),
            "no connection to any of 3 addresses after 20s: \
             connecting to [::1]:443 failed (connection refused); \
             the TLS handshake with 127.0.0.1:443 timed out; connecting to 127.0.0.2:443 timed out"
        );
    }

    #[test]
    fn only_earlier_attempts_are_overtaken() {
        let progress = Progress::default();
        let address = |host: u8| SocketAddr::from(([192, 0, 2, host], 80));
        let steps: Vec<_> = (0..4).map(|host| progress.begin(Some(address(host)))).collect();
        steps[1].fail("refused".into());
        assert_eq!(steps[2].overtaken(), [address(0)]);
        assert_eq!(progress.under_way(), [address(0), address(2), address(3)]);
    }
}
