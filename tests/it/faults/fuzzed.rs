//! The seeds of the fuzz targets that the public API is enough for, and variations of them, with every test run.

#[path = "../../fuzz/src/mutate.rs"]
mod mutate;
#[path = "../../fuzz/src/peer.rs"]
mod peer;
#[path = "../../fuzz/src/policy.rs"]
mod policy;

/// Inputs for each parser: half a second in all, unoptimised.
const COUNT: usize = 5_000;

#[test]
fn whatever_a_peer_sends_every_call_ends_and_nothing_is_left() {
    mutate::feed("peer", 500, peer::peer);
}

#[test]
fn durations_are_what_they_say() {
    mutate::feed("duration", COUNT, policy::duration);
}

#[test]
fn a_service_config_is_read_or_refused() {
    mutate::feed("service_config", COUNT, policy::service_config);
}
