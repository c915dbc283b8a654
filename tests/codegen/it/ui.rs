//! What the attribute refuses, one file per rule. `TRYBUILD=overwrite` writes the expected output anew.

#[test]
fn every_wrong_use_is_an_error_at_the_right_token_with_the_remedy() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
