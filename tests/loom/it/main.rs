//! The models of [`loom_tests::models`], each a test.

use loom_tests::models;

#[test]
fn no_wake_up_is_lost() {
    models::no_wake_up_is_lost();
}

#[test]
fn nobody_is_forgotten() {
    models::nobody_is_forgotten();
}

#[test]
fn no_limit_is_passed() {
    models::no_limit_is_passed();
}

#[test]
fn nobody_who_waits_is_overtaken() {
    models::nobody_who_waits_is_overtaken();
}

#[test]
fn a_lowered_limit_holds_from_then_on() {
    models::a_lowered_limit_holds_from_then_on();
}

#[test]
fn nothing_is_taken_from_a_connection_that_drains_or_is_dead() {
    models::nothing_is_taken_from_a_connection_that_drains_or_is_dead();
}

#[test]
fn a_last_use_is_the_last() {
    models::a_last_use_is_the_last();
}

#[test]
fn a_connection_past_the_maximum_closes_when_it_is_given_back() {
    models::a_connection_past_the_maximum_closes_when_it_is_given_back();
}

#[test]
fn a_call_ends_or_is_cut() {
    models::a_call_ends_or_is_cut();
}
