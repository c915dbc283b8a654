//! What must hold of whatever a user writes into a service config.
//!
//! Part of several binaries, by its path.

use pool_call_policy::{ServiceConfig, duration};

/// A duration of either grammar: read, and written as the other side wants it, it is the same.
pub(crate) fn duration(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for read in [duration::parse(text).ok(), duration::parse_proto(text).ok()]
        .into_iter()
        .flatten()
    {
        if !read.is_zero() {
            assert_eq!(duration::parse(&duration::to_text(read)).ok(), Some(read), "{text}");
        }
    }
}

/// A service config is read or refused, and a refusal says what is wrong.
pub(crate) fn service_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match ServiceConfig::from_json(text) {
        Ok(config) => {
            for (service, method) in [("a.B", "C"), ("a.B", "D"), ("E", "F"), ("", "")] {
                let _ = config.method(service, method);
            }
        }
        Err(error) => {
            assert!(!error.mistakes().is_empty(), "{text}");
            for mistake in error.mistakes() {
                assert!(!mistake.problem().is_empty(), "{text}");
            }
        }
    }
}
