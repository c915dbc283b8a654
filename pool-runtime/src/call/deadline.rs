//! A call's deadline, and `grpc-timeout` on the wire (R21, R22).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::error::{Kind, Phase};
use crate::pool::config::LONGEST;

/// The header that tells the server how long the client will wait.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When a call is over, and how long it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) after: Duration,
}

impl Deadline {
    pub(crate) fn after(now: Instant, after: Duration) -> Self {
        Self {
            at: now + after.min(LONGEST),
            after,
        }
    }

    /// The failure that this deadline is.
    pub(crate) fn exceeded(&self, phase: Phase) -> Kind {
        Kind::Deadline {
            after: self.after,
            phase,
        }
    }

    /// Whether the peer cancelled the stream because the time was up there: its clock may be ahead of the timer
    /// here, and what fails because of the deadline is DEADLINE_EXCEEDED (R22).
    pub(crate) fn explains(&self, error: &h2::Error) -> bool {
        error.is_remote() && error.reason() == Some(h2::Reason::CANCEL) && Instant::now() >= self.at
    }

    /// What is left, as a header's value. A deadline that has passed still says one unit: zero is not a timeout.
    pub(crate) fn header(&self, now: Instant) -> HeaderValue {
        encode(self.at.saturating_duration_since(now))
    }
}

/// At most 8 digits and a unit: the finest unit that can hold the value.
fn encode(timeout: Duration) -> HeaderValue {
    const MOST: u128 = 99_999_999;
    let nanos = timeout.as_nanos().max(1);
    let units = [
        ('n', 1),
        ('u', 1_000),
        ('m', 1_000_000),
        ('S', 1_000_000_000),
        ('M', 60_000_000_000),
        ('H', 3_600_000_000_000),
    ];
    let (value, unit) = units
        .into_iter()
        .map(|(unit, size)| (nanos.div_ceil(size), unit))
        .find(|(value, _)| *value <= MOST)
        .unwrap_or((MOST, 'H'));
    let text = format!("{value}{unit}");
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("99999999H"))
}

/// The timeout that a caller set on the request, `Request::set_timeout` for one. A value that is not of the
/// specified form counts as none, as it does for a server.
pub(crate) fn requested(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "n" => Duration::from_nanos(value),
        "u" => Duration::from_micros(value),
        "m" => Duration::from_millis(value),
        "S" => Duration::from_secs(value),
        "M" => Duration::from_secs(value * 60),
        "H" => Duration::from_secs(value * 3_600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_keep_to_eight_digits_and_never_come_out_shorter() {
        let rows = [
            (Duration::ZERO, "1n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_000), "100000u"),
            (Duration::from_millis(250), "250000u"),
            (Duration::from_secs(30), "30000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (Duration::from_secs(100_000_001), "1666667M"),
            (Duration::MAX, "99999999H"),
        ];
        for (timeout, expected) in rows {
            assert_eq!(encode(timeout), expected, "{timeout:?}");
        }
    }

    #[test]
    fn what_the_specification_allows_is_read_and_nothing_else() {
        let rows = [
            ("250m", Some(Duration::from_millis(250))),
            ("1H", Some(Duration::from_secs(3_600))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("100000000S", None),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1é", None),
        ];
        for (text, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(requested(&headers), expected, "{text:?}");
        }
    }
}
