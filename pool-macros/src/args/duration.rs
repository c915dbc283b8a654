//! Durations as the attribute has them.

use std::time::Duration;

use pool_call_policy::duration;

/// The longest duration that a `grpc-timeout` can say: eight digits, and hours as the unit.
const LONGEST: Duration = Duration::from_secs(99_999_999 * 3_600);

/// Reads any duration; the error is a sentence for the user.
pub(super) fn any(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

/// Reads a duration that calls can have as their deadline.
pub(super) fn deadline(text: &str) -> Result<Duration, String> {
    let duration = any(text)?;
    if duration.is_zero() {
        return Err("a deadline of zero would fail every call; for no deadline write \"none\"".into());
    }
    if duration > LONGEST {
        return Err("a deadline is at most 99999999 hours; for no deadline write \"none\"".into());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_can_be_met_and_can_be_said_on_the_wire() {
        assert_eq!(deadline("99999999h"), Ok(LONGEST));
        for text in ["0s", "0h0m", "99999999h1ns", "1.5s"] {
            assert!(deadline(text).is_err(), "{text}");
        }
        assert_eq!(any("0s"), Ok(Duration::ZERO));
    }
}
