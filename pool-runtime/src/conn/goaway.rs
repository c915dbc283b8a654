//! The GOAWAY that ended a connection, of the peer or of this side, as it is shown to users.

use std::fmt;

use h2::Reason;

use crate::pool::event::CloseReason;

/// The debug data that gRFC A8 has servers send to a client that pings too often.
const TOO_MANY_PINGS: &str = "too_many_pings";

/// How much of an error's text is read: the debug data stands behind h2's own words.
const MOST_TEXT: usize = 1_024;

/// How much of the debug data is shown. It is the peer's, and as long as the peer likes.
const MOST_DEBUG_DATA: usize = 256;

/// A GOAWAY: its error code and its debug data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GoAway {
    pub(crate) code: Reason,
    /// Escaped to ASCII, and cut.
    pub(crate) debug_data: Box<str>,
    /// It is the peer's.
    pub(crate) is_remote: bool,
}

impl GoAway {
    /// The GOAWAY that is `error`, if it is one.
    pub(crate) fn of(error: &h2::Error) -> Option<Self> {
        if !error.is_go_away() {
            return None;
        }
        Some(Self {
            code: error.reason()?,
            debug_data: debug_data(&beginning(error)).into(),
            is_remote: error.is_remote(),
        })
    }

    /// The reason for which it closes the connection.
    pub(crate) fn reason(&self) -> CloseReason {
        match (self.code, &*self.debug_data) {
            (Reason::ENHANCE_YOUR_CALM, TOO_MANY_PINGS) => CloseReason::TooManyPings,
            _ => CloseReason::GoAway,
        }
    }
}

impl fmt::Display for GoAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.is_remote {
            true => "the peer sent GOAWAY ",
            false => "this side sent GOAWAY ",
        })?;
        write!(f, "{:?}", self.code)?;
        if !self.debug_data.is_empty() {
            write!(f, " \"{}\"", self.debug_data)?;
        }
        match (self.is_remote, &*self.debug_data) {
            (false, "header_list_way_too_large" | "too_many_continuations") => {
                f.write_str(", as the headers or trailers of a call were far over max_header_list_size")
            }
            _ => Ok(()),
        }
    }
}

/// The text of an error, as far as it may be shown: with escapes, a peer can make it several times as long as a frame.
fn beginning(error: &h2::Error) -> String {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            match self.0.len() > MOST_TEXT {
                true => Err(fmt::Error),
                false => Ok(()),
            }
        }
    }

    let mut text = Bounded(String::new());
    // An error ends it early.
    let _ = fmt::write(&mut text, format_args!("{error}"));
    text.0
}

/// The debug data in the text of an error of h2, which shows it nowhere else: at the end, as ` (b"..")`, escaped.
fn debug_data(text: &str) -> &str {
    let data = text.split_once(" (b\"").map_or("", |(_, rest)| rest);
    let data = data.strip_suffix("\")").unwrap_or(data);
    // Escaped text is ASCII.
    data.get(..MOST_DEBUG_DATA).unwrap_or(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_data_is_found_escaped_and_cut() {
        let long = format!("connection error received: x (b\"{}\")", "d".repeat(1_000));
        let rows = [
            ("connection error received: not a result of an error", ""),
            ("connection error received: x (b\"too_many_pings\")", "too_many_pings"),
            ("connection error received: x (b\"a\\n\\\"b\")", "a\\n\\\"b"),
            (long.as_str(), &"d".repeat(MOST_DEBUG_DATA)),
        ];
        for (text, expected) in rows {
            assert_eq!(debug_data(text), expected, "{text}");
        }
    }
}
