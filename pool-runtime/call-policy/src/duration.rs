//! The two ways to write a duration: that of the attribute, `"1m30s"`, and that of a service config, `"90s"`.

use std::fmt;
use std::time::Duration;

/// The units of the attribute's durations, the largest first, with the nanoseconds of each.
const UNITS: [(&str, u128); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The most seconds that protobuf's `Duration` can say: about 10,000 years.
const MOST_PROTO_SECONDS: u64 = 315_576_000_000;

/// Why a text is not a duration; `Display` says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDuration {
    text: String,
    expected: &'static str,
}

impl InvalidDuration {
    fn new(text: &str, expected: &'static str) -> Self {
        let text = text.to_owned();
        Self { text, expected }
    }
}

impl fmt::Display for InvalidDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(f, "a duration is missing: {}", self.expected)
        } else {
            write!(f, "`{}` is not a duration: {}", self.text, self.expected)
        }
    }
}

impl std::error::Error for InvalidDuration {}

/// Reads a duration of the attribute: `"250ms"`, `"2s"`, `"1m30s"`.
///
/// The grammar is small on purpose. Each part is a whole number with a unit, larger units first, each unit once: there
/// is one way to read any of them, and no question whether `1.5m` is minutes.
///
/// # Errors
///
/// Any other text, and what is longer than a [`Duration`] can be.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || {
        let expected = "write whole numbers with the units h, m, s, ms, us or ns, the larger unit first, for example \
                        \"250ms\", \"2s\" or \"1m30s\"";
        InvalidDuration::new(text, expected)
    };
    if text.is_empty() {
        return Err(invalid());
    }
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
    let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| invalid())?;
    let fraction = u32::try_from(nanos % 1_000_000_000).map_err(|_| invalid())?;
    Ok(Duration::new(seconds, fraction))
}

/// Writes a duration so that [`parse`] reads the same again.
pub fn to_text(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut text = String::new();
    for (unit, size) in UNITS {
        if nanos >= size {
            text.push_str(&format!("{}{unit}", nanos / size));
            nanos %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads a duration of a service config, which is protobuf's `Duration` in JSON: `"1s"`, `"0.25s"`, with up to nine
/// digits behind the point. A negative one is refused: nothing in a service config can last that long.
///
/// # Errors
///
/// Any other text, and more than 315,576,000,000 seconds, as in protobuf.
pub fn parse_proto(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || {
        let expected = "write seconds, with up to nine digits behind the point, for example \"30s\" or \"0.25s\"";
        InvalidDuration::new(text, expected)
    };
    let number = text.strip_suffix('s').ok_or_else(invalid)?;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let seconds: u64 = digits(whole).ok_or_else(invalid)?;
    let nanos = match fraction {
        None => 0,
        Some(fraction) if fraction.len() <= 9 => {
            let scale = 10_u32.pow(9 - fraction.len() as u32);
            digits::<u32>(fraction).ok_or_else(invalid)? * scale
        }
        Some(_) => return Err(invalid()),
    };
    match Duration::new(seconds, nanos) {
        duration if duration <= Duration::from_secs(MOST_PROTO_SECONDS) => Ok(duration),
        _ => Err(invalid()),
    }
}

/// A number of digits alone: `parse` would take a sign as well.
fn digits<N: std::str::FromStr>(text: &str) -> Option<N> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

fn split_before(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_the_attribute_are_read_exactly() {
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("2s", Duration::from_secs(2)),
            ("1m30s", Duration::from_secs(90)),
            ("1h", Duration::from_secs(3600)),
            ("1s500ms", Duration::from_millis(1500)),
            ("1h2m3s4ms5us6ns", Duration::new(3723, 4_005_006)),
            ("0s", Duration::ZERO),
            ("99999999h", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_of_the_attribute_is_refused() {
        for text in [
            "",
            "2",
            "s",
            "2 s",
            " 2s",
            "2s ",
            "1.5s",
            "-2s",
            "+2s",
            "2S",
            "2sec",
            "2d",
            "1s1m",
            "1s1s",
            "none",
            "18446744073709551616s",
            "18446744073709551615h",
            "٣s",
            "2µs",
        ] {
            assert!(parse(text).is_err(), "{text:?} was read as {:?}", parse(text));
        }
    }

    #[test]
    fn a_duration_that_is_written_is_read_as_the_same() {
        let rows = [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1500), "1s500ms"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::new(315_576_000_000, 0), "87660000h"),
            (Duration::new(90, 1_000), "1m30s1us"),
            (Duration::MAX, "5124095576030431h15s999ms999us999ns"),
        ];
        for (duration, text) in rows {
            assert_eq!(to_text(duration), text);
            assert_eq!(parse(text), Ok(duration), "{text}");
        }
    }

    #[test]
    fn durations_of_a_service_config_are_read_exactly() {
        for (text, expected) in [
            ("1s", Duration::from_secs(1)),
            ("0s", Duration::ZERO),
            ("1.5s", Duration::from_millis(1500)),
            ("0.25s", Duration::from_millis(250)),
            ("3.000000001s", Duration::new(3, 1)),
            ("0.123456789s", Duration::new(0, 123_456_789)),
            ("315576000000s", Duration::from_secs(MOST_PROTO_SECONDS)),
        ] {
            assert_eq!(parse_proto(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_of_a_service_config_is_refused() {
        for text in [
            "",
            "1",
            "s",
            ".5s",
            "1.s",
            ".s",
            "-1s",
            "+1s",
            "1.+5s",
            "1.5.5s",
            "1e3s",
            "1 s",
            "1ms",
            "1ss",
            "0.1234567890s",
            "315576000000.000000001s",
            "315576000001s",
            "18446744073709551616s",
            "٣s",
        ] {
            let read = parse_proto(text);
            assert!(read.is_err(), "{text:?} was read as {read:?}");
        }
    }
}
