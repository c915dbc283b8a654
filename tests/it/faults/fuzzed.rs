//! The seeds of the fuzz target `peer`, and variations of them, with every test run.

#[path = "../../fuzz/src/mutate.rs"]
mod mutate;
#[path = "../../fuzz/src/peer.rs"]
mod peer;

#[test]
fn whatever_a_peer_sends_every_call_ends_and_nothing_is_left() {
    mutate::feed("peer", 500, peer::peer);
}
