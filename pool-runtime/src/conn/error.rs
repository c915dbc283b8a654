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
    /// At least one, in the order in which they began.
    attempts: Vec<Attempt>,
    /// The dial was given up after this time, when some attempts were still under way.
    timed_out: Option<Duration>,
}

/// An attempt of a failed dial: how far it came at which address, and why no further.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) phase: Phase,
    pub(super) address: Option<SocketAddr>,
    /// `None` if it had neither failed nor succeeded when the time was up.
    pub(super) error: Option<BoxError>,
}

impl ConnectError {
    /// `phase` failed because of `source`.
    pub(crate) fn new(phase: Phase, address: Option<SocketAddr>, source: impl Into<BoxError>) -> Self {
        Self::of(
            vec![Attempt {
                phase,
                address,
                error: Some(source.into()),
            }],
            None,
        )
    }

    /// All attempts failed.
    pub(super) fn failed(attempts: Vec<Attempt>) -> Self {
        Self::of(attempts, None)
    }

    /// The dial was not over `after` that long.
    pub(super) fn timed_out(attempts: Vec<Attempt>, after: Duration) -> Self {
        Self::of(attempts, Some(after))
    }

    fn of(mut attempts: Vec<Attempt>, timed_out: Option<Duration>) -> Self {
        if attempts.is_empty() {
            attempts.push(Attempt {
                phase: Phase::Resolve,
                address: None,
                error: None,
            });
        }
        Self(Arc::new(Inner { attempts, timed_out }))
    }

    /// Whether time ran out, as opposed to something having failed.
    pub(crate) fn is_timeout(&self) -> bool {
        self.0.timed_out.is_some()
    }

    /// The step that failed or took too long; of several attempts that of the last.
    #[cfg(test)]
    pub(crate) fn phase(&self) -> Phase {
        self.last().map_or(Phase::Resolve, |last| last.phase)
    }

    /// The address it happened with; where there were several, the last one.
    #[cfg(test)]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.last()?.address
    }

    fn last(&self) -> Option<&Attempt> {
        self.0.attempts.last()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { attempts, timed_out } = &*self.0;
        match (&attempts[..], timed_out) {
            ([only], Some(after)) => write!(f, "{only} timed out after {after:?}"),
            ([only], None) => write!(f, "{only} failed"),
            (several, timed_out) => {
                write!(f, "no connection to any of {} addresses", several.len())?;
                if let Some(after) = timed_out {
                    write!(f, " after {after:?}")?;
                }
                write_attempts(f, several)
            }
        }
    }
}

/// Each attempt with its reason, but the last one's reason, which is the source: its own level prints it.
fn write_attempts(f: &mut fmt::Formatter<'_>, attempts: &[Attempt]) -> fmt::Result {
    for (index, attempt) in attempts.iter().enumerate() {
        let between = if index == 0 { ":" } else { ";" };
        write!(f, "{between} {attempt}")?;
        match &attempt.error {
            None => f.write_str(" timed out")?,
            Some(_) if index + 1 == attempts.len() => f.write_str(" failed")?,
            Some(error) => write!(f, " failed ({})", Chain(&**error))?,
        }
    }
    Ok(())
}

/// The step, and the address it was taken with.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, address, .. } = self;
        let preposition = match phase {
            Phase::Connect => "to",
            _ => "with",
        };
        match address {
            Some(address) => write!(f, "{phase} {preposition} {address}"),
            None => write!(f, "{phase}"),
        }
    }
}

impl StdError for ConnectError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.last()?.error {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// An error with its causes in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Puts the likely reason of a failure, and the remedy, in front of `source`.
pub(super) fn explained(explanation: impl Into<String>, source: impl Into<BoxError>) -> BoxError {
    Box::new(Explained {
        explanation: explanation.into(),
        source: source.into(),
    })
}

#[derive(Debug)]
struct Explained {
    explanation: String,
    source: BoxError,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)
    }
}

impl StdError for Explained {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
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

    fn attempt(phase: Phase, address: &str, error: impl Into<BoxError>) -> Attempt {
        Attempt {
            phase,
            address: Some(address.parse().unwrap()),
            error: Some(error.into()),
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
    fn each_attempt_is_named_with_phase_and_reason() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = ConnectError::failed(vec![
            attempt(Phase::Connect, "[::1]:1", refused),
            attempt(Phase::Settings, "127.0.0.2:1", explained("no HTTP/2", "frame size")),
            attempt(Phase::Tls, "127.0.0.1:1", "eof"),
        ]);
        assert_eq!(
            error.to_string(),
            "no connection to any of 3 addresses: connecting to [::1]:1 failed (connection refused); \
             the HTTP/2 handshake with 127.0.0.2:1 failed (no HTTP/2: frame size); \
             the TLS handshake with 127.0.0.1:1 failed"
        );
        assert_eq!(error.source().unwrap().to_string(), "eof");
        assert_eq!(error.address(), Some("127.0.0.1:1".parse().unwrap()));
    }
}
