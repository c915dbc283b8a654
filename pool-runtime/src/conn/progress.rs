//! How far a dial has come.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::ConnectError;

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

/// Where a dial stands, told while it is under way.
///
/// The dial is a future that its caller drops when the time is up; what it knew would be lost with it.
/// So it writes its steps down here, outside of itself.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Steps>);

#[derive(Debug, Clone, Default)]
struct Steps {
    phase: Phase,
    /// The addresses of the current phase: all that were tried so far, or the one that answered.
    addresses: Vec<SocketAddr>,
}

impl Progress {
    /// Notes that `phase` begins, with the peer where it is known by now.
    pub(crate) fn enter(&self, phase: Phase, peer: Option<SocketAddr>) {
        *self.steps() = Steps {
            phase,
            addresses: peer.into_iter().collect(),
        };
    }

    /// Notes that the current phase now tries `address`, too.
    pub(crate) fn try_address(&self, address: SocketAddr) {
        self.steps().addresses.push(address);
    }

    /// The error of a dial that was given up `after` that long.
    pub(crate) fn timed_out(&self, after: Duration) -> ConnectError {
        let Steps { phase, addresses } = self.steps().clone();
        ConnectError::timed_out(phase, addresses, after)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        // Nothing panics while it holds the lock, and a half-told step would do no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_names_its_phase_and_the_addresses_of_that_phase() {
        let progress = Progress::default();
        let after = Duration::from_secs(20);
        let text = |progress: &Progress| progress.timed_out(after).to_string();
        assert_eq!(text(&progress), "name resolution timed out after 20s");

        progress.enter(Phase::Connect, None);
        progress.try_address("[::1]:443".parse().unwrap());
        progress.try_address("127.0.0.1:443".parse().unwrap());
        assert_eq!(
            text(&progress),
            "connecting to [::1]:443 and 127.0.0.1:443 timed out after 20s"
        );

        progress.enter(Phase::Tls, Some("127.0.0.1:443".parse().unwrap()));
        assert_eq!(
            text(&progress),
            "the TLS handshake with 127.0.0.1:443 timed out after 20s"
        );
        assert!(progress.timed_out(after).is_timeout());
        assert_eq!(progress.timed_out(after).phase(), Phase::Tls);
    }
}
