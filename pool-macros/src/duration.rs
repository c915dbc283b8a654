//! The durations of the attribute: `"250ms"`, `"2s"`, `"1m30s"`.
//!
//! The grammar is small on purpose. Each part is a whole number with a unit, larger units first, each
//! unit once: there is one way to read any of them, and no question whether `1.5m` is minutes.

use std::time::Duration;

/// The units, the largest first, with the nanoseconds of each.
const UNITS: [(&str, u128); 5] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// The longest duration that a `grpc-timeout` can say: eight digits, and hours as the unit.
const LONGEST: Duration = Duration::from_secs(99_999_999 * 3_600);

const EXAMPLES: &str = "write whole numbers with the units h, m, s, ms or us, the larger unit first, \
                        for example \"250ms\", \"2s\" or \"1m30s\"";

/// Reads a duration; the error is a sentence for the user.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let invalid = || format!("`{text}` is not a duration: {EXAMPLES}");
    let mut nanos: u128 = 0;
    let mut units = UNITS.iter();
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_before(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_before(after, |c| !c.is_ascii_alphabetic());
        // The iterator goes on from the last unit, so that a unit can neither recur nor go up.
        let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(invalid)?;
        let number: u64 = number.parse().map_err(|_| invalid())?;
        nanos += u128::from(number) * size;
        rest = after;
    }
    if text.is_empty() {
        return Err(format!("a duration is missing: {EXAMPLES}"));
    }
    if nanos == 0 {
        return Err("a deadline of zero would fail every call; for no deadline write \"none\"".into());
    }
    if nanos > LONGEST.as_nanos() {
        return Err("a deadline is at most 99999999 hours; for no deadline write \"none\"".into());
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
    let fraction = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Ok(Duration::new(seconds, fraction))
}

fn split_before(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly() {
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("2s", Duration::from_secs(2)),
            ("1m30s", Duration::from_secs(90)),
            ("1h", Duration::from_secs(3600)),
            ("1s500ms", Duration::from_millis(1500)),
            ("1h2m3s4ms5us", Duration::from_micros(3_723_004_005)),
            ("99999999h", LONGEST),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "2",
            "s",
            "2 s",
            " 2s",
            "2s ",
            "1.5s",
            "-2s",
            "2S",
            "2sec",
            "2d",
            "1s1m",
            "1s1s",
            "0s",
            "0h0m",
            "none",
            "99999999h1us",
            "18446744073709551616s",
            "٣s",
            "2µs",
        ] {
            assert!(parse(text).is_err(), "{text:?} was read as {:?}", parse(text));
        }
    }
}
