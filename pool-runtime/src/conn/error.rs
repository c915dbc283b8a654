//! Why a dial failed, and why it could not even be tried.

use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::progress::Phase;

/// The cause of a failure, whatever it is.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// Why no connection could be opened.
///
/// One dial may have many waiters, and each of them is told: clones share the cause.
#[derive(Debug, Clone)]
pub(crate) struct ConnectError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    phase: Phase,
    failure: Failure,
    addresses: Vec<SocketAddr>,
    source: Option<BoxError>,
}

#[derive(Debug)]
enum Failure {
    /// The phase failed, for the reason in `source`.
    Failed,
    /// Every address was tried and none took the connection; `source` is the last one's reason.
    AllAttempts(Vec<Attempt>),
    TimedOut(Duration),
}

/// An address that did not take the connection, and its reason.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) address: SocketAddr,
    pub(crate) error: std::io::Error,
}

impl ConnectError {
    /// `phase` failed because of `source`.
    pub(crate) fn new(phase: Phase, peer: Option<SocketAddr>, source: impl Into<BoxError>) -> Self {
        Self::of(Inner {
            phase,
            failure: Failure::Failed,
            addresses: peer.into_iter().collect(),
            source: Some(source.into()),
        })
    }

    /// No address took the connection. The attempts are in the order in which they failed.
    pub(super) fn unreachable(mut attempts: Vec<Attempt>) -> Self {
        let addresses = attempts.iter().map(|attempt| attempt.address).collect();
        let last = attempts.pop();
        Self::of(Inner {
            phase: Phase::Connect,
            failure: match attempts.is_empty() {
                true => Failure::Failed,
                false => Failure::AllAttempts(attempts),
            },
            addresses,
            source: last.map(|attempt| attempt.error.into()),
        })
    }

    /// `phase` was not over `after` that long; `addresses` are those it had to do with.
    pub(super) fn timed_out(phase: Phase, addresses: Vec<SocketAddr>, after: Duration) -> Self {
        Self::of(Inner {
            phase,
            failure: Failure::TimedOut(after),
            addresses,
            source: None,
        })
    }

    fn of(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The step that failed or took too long.
    #[cfg(test)]
    pub(crate) fn phase(&self) -> Phase {
        self.0.phase
    }

    /// Whether time ran out, as opposed to something having failed.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self.0.failure, Failure::TimedOut(_))
    }

    /// The address it happened with; where there were several, the last one.
    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.0.addresses.last().copied()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            phase,
            failure,
            addresses,
            ..
        } = &*self.0;
        if let Failure::AllAttempts(earlier) = failure {
            return write_attempts(f, *phase, earlier, addresses);
        }
        write!(f, "{phase}")?;
        let preposition = match phase {
            Phase::Connect => "to",
            _ => "with",
        };
        for (index, address) in addresses.iter().enumerate() {
            let between = if index == 0 { preposition } else { "and" };
            write!(f, " {between} {address}")?;
        }
        match failure {
            Failure::TimedOut(after) => write!(f, " timed out after {after:?}"),
            _ => f.write_str(" failed"),
        }
    }
}

/// Tells the reason of every attempt but the last one, which is the source: its own level prints it.
fn write_attempts(
    f: &mut fmt::Formatter<'_>,
    phase: Phase,
    earlier: &[Attempt],
    addresses: &[SocketAddr],
) -> fmt::Result {
    write!(f, "{phase} to each of {} addresses failed:", addresses.len())?;
    for Attempt { address, error } in earlier {
        write!(f, " {address} ({error}),")?;
    }
    match addresses.last() {
        Some(last) => write!(f, " and {last}"),
        None => Ok(()),
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// Why a target cannot be dialled as configured. Found when the pool is built, not when it is used.
#[derive(Debug)]
pub(crate) struct InvalidDial {
    /// What the user set, as the builder calls it.
    pub(crate) field: &'static str,
    pub(crate) problem: String,
    pub(crate) source: Option<BoxError>,
}

impl InvalidDial {
    pub(super) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
            source: None,
        }
    }

    #[cfg(feature = "_tls")]
    pub(super) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for InvalidDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl StdError for InvalidDial {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn attempt(address: &str, kind: io::ErrorKind) -> Attempt {
        Attempt {
            address: address.parse().unwrap(),
            error: kind.into(),
        }
    }

    #[test]
    fn display_is_one_level_and_the_cause_is_the_source() {
        let error = ConnectError::new(
            Phase::Tls,
            Some("127.0.0.1:443".parse().unwrap()),
            io::Error::other("bad certificate"),
        );
        assert_eq!(error.to_string(), "the TLS handshake with 127.0.0.1:443 failed");
        assert_eq!(error.source().unwrap().to_string(), "bad certificate");
        assert!(!error.is_timeout());
    }

    #[test]
    fn all_attempts_are_told() {
        let error = ConnectError::unreachable(vec![
            attempt("[::1]:1", io::ErrorKind::ConnectionRefused),
            attempt("127.0.0.1:1", io::ErrorKind::HostUnreachable),
        ]);
        assert_eq!(
            error.to_string(),
            "connecting to each of 2 addresses failed: [::1]:1 (connection refused), and 127.0.0.1:1"
        );
        assert_eq!(error.source().unwrap().to_string(), "host unreachable");
        assert_eq!(error.address(), Some("127.0.0.1:1".parse().unwrap()));
    }
}
