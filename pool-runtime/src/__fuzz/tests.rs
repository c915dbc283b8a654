//! The seeds of the fuzz targets, and variations of them, with every test run.

#[path = "../../../tests/fuzz/src/mutate.rs"]
mod mutate;

use self::mutate::feed;

/// Inputs for each target: half a second in all, unoptimised.
const COUNT: usize = 5_000;

#[test]
fn a_message_does_not_depend_on_how_it_is_cut() {
    feed("body", COUNT, super::body);
}

#[test]
fn headers_are_read_or_refused() {
    feed("head", COUNT, super::head);
}

#[test]
fn settings_are_found_however_they_are_cut() {
    feed("settings", COUNT, super::settings);
}

#[test]
fn targets_are_read_as_they_are_printed_and_keep_their_secrets() {
    feed("target", COUNT, super::target);
}
