use std::time::Duration;

use super::*;
use crate::{Attempts, Codes, HedgingPolicy, RetryPolicy};

/// The config of one method, called `a.B/C`, whose other fields these are.
fn one(fields: &str) -> Result<MethodConfig, ConfigError> {
    let text = format!(r#"{{"methodConfig": [{{"name": [{{"service": "a.B", "method": "C"}}], {fields}}}]}}"#);
    ServiceConfig::from_json(&text).map(|config| *config.method("a.B", "C").unwrap())
}

fn retry(fields: &str) -> String {
    format!(r#""retryPolicy": {{{fields}}}"#)
}

const RETRY: &str = r#""maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"]"#;

#[test]
fn every_field_is_read() {
    let read = one(&format!(
        r#""timeout": "1.5s", "waitForReady": true, "maxRequestMessageBytes": 100,
           "maxResponseMessageBytes": "4294967295", {}"#,
        retry(RETRY)
    ));
    let policy = RetryPolicy::new(
        4,
        Duration::from_millis(100),
        Duration::from_secs(1),
        2.0,
        Codes::UNAVAILABLE,
    );
    let expected = MethodConfig::NONE
        .timeout(Duration::from_millis(1500))
        .wait_for_ready(true)
        .attempts(Attempts::Retry(policy.unwrap()))
        .max_request_message_bytes(100)
        .max_response_message_bytes(u32::MAX as usize);
    assert_eq!(read, Ok(expected));
    let config = ServiceConfig::from_json(
        r#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
            "connectionScaling": {"maxConnectionsPerSubchannel": 3}}"#,
    )
    .unwrap();
    assert_eq!(config.retry_throttling(), RetryThrottling::new(10, 0.1).ok());
    assert_eq!(config.max_connections(), Some(3));
}

#[test]
fn hedging_needs_only_its_attempts() {
    let policy = |fields: &str| one(&format!(r#""hedgingPolicy": {{{fields}}}"#)).unwrap().attempts;
    let expected = |delay, codes| Some(Attempts::Hedge(HedgingPolicy::new(3, delay, codes).unwrap()));
    assert_eq!(policy(r#""maxAttempts": 3"#), expected(Duration::ZERO, Codes::NONE));
    assert_eq!(
        policy(r#""maxAttempts": 3, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["aborted", 14]"#),
        expected(Duration::from_millis(50), Codes::ABORTED | Codes::UNAVAILABLE)
    );
}

#[test]
fn numbers_may_be_strings_codes_may_be_numbers_and_case_does_not_matter() {
    let plain = one(&retry(RETRY)).unwrap();
    let other = r#""maxAttempts": "4", "initialBackoff": "0.100s", "maxBackoff": "1.0s", "backoffMultiplier": "2.0",
        "retryableStatusCodes": ["unAvailable", 14]"#;
    assert_eq!(one(&retry(other)), Ok(plain));
    let five = one(&retry(&RETRY.replace("4", "400"))).unwrap();
    let Some(Attempts::Retry(policy)) = five.attempts else {
        panic!("{five:?}")
    };
    assert_eq!(policy.max_attempts, 5);
}

#[test]
fn a_method_is_found_by_its_name_then_its_service_then_the_default() {
    let config = ServiceConfig::from_json(
        r#"{"methodConfig": [
            {"name": [{"service": "a.B", "method": "C"}], "timeout": "1s"},
            {"name": [{"service": "a.B", "method": null}, {"service": "a.X"}], "timeout": "2s"},
            {"name": [{"service": "a.D", "method": "E"}], "timeout": "3s"},
            {"name": [{}], "timeout": "4s"},
            {"timeout": "5s"}
        ]}"#,
    )
    .unwrap();
    for (service, method, seconds) in [
        ("a.B", "C", 1),
        ("a.B", "D", 2),
        ("a.X", "C", 2),
        ("a.D", "E", 3),
        ("a.D", "F", 4),
        ("b", "C", 4),
        ("", "C", 4),
    ] {
        let found = config.method(service, method).unwrap();
        assert_eq!(found.timeout, Some(Duration::from_secs(seconds)), "{service}/{method}");
    }
    let names: Vec<_> = config.names().iter().map(|name| name.path.as_str()).collect();
    assert_eq!(names[1..3], ["methodConfig[1].name[0]", "methodConfig[1].name[1]"]);
}

#[test]
fn what_is_not_said_is_not_there() {
    for text in [
        "{}",
        r#"{"methodConfig": null, "retryThrottling": null, "connectionScaling": null}"#,
        r#"{"methodConfig": [], "connectionScaling": {}}"#,
        r#"{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": ""}, "x": 1}"#,
    ] {
        assert_eq!(ServiceConfig::from_json(text), Ok(ServiceConfig::default()), "{text}");
    }
    let fields = r#""timeout": null, "waitForReady": null, "retryPolicy": null, "hedgingPolicy": null,
        "maxRequestMessageBytes": null, "somethingElse": {}"#;
    assert_eq!(one(fields), Ok(MethodConfig::NONE));
}

#[test]
fn an_invalid_field_is_named_with_its_path() {
    let policy = |from: &str, to: &str| retry(&RETRY.replace(from, to));
    let rows = [
        (
            r#""timeout": "1""#.to_owned(),
            "timeout is no duration: `1` is not a duration: write seconds",
        ),
        (r#""timeout": 1"#.to_owned(), "timeout is a number, not a string"),
        (r#""timeout": "-1s""#.to_owned(), "timeout is no duration"),
        (r#""timeout": "0s""#.to_owned(), "timeout is 0: every call would fail"),
        (
            r#""waitForReady": "true""#.to_owned(),
            "waitForReady is a string, not true or false",
        ),
        (
            r#""maxRequestMessageBytes": -1"#.to_owned(),
            "maxRequestMessageBytes is -1, not a whole number",
        ),
        (
            r#""maxRequestMessageBytes": 1.5"#.to_owned(),
            "maxRequestMessageBytes is 1.5, not a whole number",
        ),
        (
            r#""maxResponseMessageBytes": 4294967296"#.to_owned(),
            "maxResponseMessageBytes is 4294967296, not a",
        ),
        (
            r#""maxResponseMessageBytes": "many""#.to_owned(),
            "maxResponseMessageBytes is not a number",
        ),
        (
            r#""maxResponseMessageBytes": "inf""#.to_owned(),
            "maxResponseMessageBytes is not a number",
        ),
        (
            r#""retryPolicy": []"#.to_owned(),
            "retryPolicy is an array, not an object",
        ),
        (policy("\"maxAttempts\"", "\"x\""), "retryPolicy.maxAttempts is missing"),
        (
            policy("\"initialBackoff\"", "\"x\""),
            "retryPolicy.initialBackoff is missing",
        ),
        (policy("\"maxBackoff\"", "\"x\""), "retryPolicy.maxBackoff is missing"),
        (
            policy("\"backoffMultiplier\"", "\"x\""),
            "retryPolicy.backoffMultiplier is missing",
        ),
        (
            policy("\"retryableStatusCodes\"", "\"x\""),
            "retryPolicy.retryableStatusCodes is missing",
        ),
        (
            policy("[\"UNAVAILABLE\"]", "null"),
            "retryPolicy.retryableStatusCodes is missing",
        ),
        (
            policy("4", "1"),
            "retryPolicy.maxAttempts is 1: the first attempt counts",
        ),
        (policy("4", "2.5"), "retryPolicy.maxAttempts is 2.5, not a whole number"),
        (policy("0.1s", "0s"), "retryPolicy.initialBackoff is 0"),
        (policy("\"1s\"", "\"0s\""), "retryPolicy.maxBackoff is 0"),
        (
            policy(": 2", ": 0"),
            "retryPolicy.backoffMultiplier is not a number above 0",
        ),
        (
            policy("\"UNAVAILABLE\"", ""),
            "retryPolicy.retryableStatusCodes is empty",
        ),
        (
            policy("\"UNAVAILABLE\"", "17"),
            "retryPolicy.retryableStatusCodes[0] is 17, not the number of a",
        ),
        (
            policy("\"UNAVAILABLE\"", "14, \"UNAVALABLE\""),
            "retryPolicy.retryableStatusCodes[1] is \"UNAVALABLE\", not \
            the name of a status code, did you mean \"UNAVAILABLE\"?",
        ),
        (
            policy("\"UNAVAILABLE\"", "true"),
            "retryPolicy.retryableStatusCodes[0] is a boolean, not a number",
        ),
        (
            r#""hedgingPolicy": {}"#.to_owned(),
            "hedgingPolicy.maxAttempts is missing",
        ),
        (
            r#""hedgingPolicy": {"maxAttempts": 1}"#.to_owned(),
            "hedgingPolicy.maxAttempts is 1",
        ),
        (
            format!(r#"{}, "hedgingPolicy": {{"maxAttempts": 2}}"#, retry(RETRY)),
            "hedgingPolicy stands beside a retryPolicy",
        ),
    ];
    for (fields, expected) in rows {
        let error = one(&fields).unwrap_err().to_string();
        let expected = format!("methodConfig[0].{expected}");
        assert!(error.starts_with(&expected), "{fields}\n  {error}\n  {expected}");
    }
}

#[test]
fn what_is_wrong_with_the_whole_is_named_too() {
    for (text, expected) in [
        ("[]", "the service config is an array, not an object"),
        (r#"{"methodConfig": {}}"#, "methodConfig is an object, not an array"),
        (r#"{"methodConfig": [1]}"#, "methodConfig[0] is a number, not an object"),
        (
            r#"{"methodConfig": [{"name": [{"method": "C"}]}]}"#,
            "methodConfig[0].name[0] names a method without its service",
        ),
        (
            r#"{"methodConfig": [{"name": [{"service": "a", "method": "C"}]}, {"name": [{}, {"service": "a", "method": "C"}]}]}"#,
            "methodConfig[1].name[1] names again what methodConfig[0].name[0] has named",
        ),
        (
            r#"{"methodConfig": [{"name": [{}, {"service": ""}]}]}"#,
            "methodConfig[0].name[1] names again what methodConfig[0].name[0] has named",
        ),
        (
            r#"{"retryThrottling": {"maxTokens": 10}}"#,
            "retryThrottling.tokenRatio is missing: gRPC requires it",
        ),
        (
            r#"{"retryThrottling": {"maxTokens": 0, "tokenRatio": 1}}"#,
            "retryThrottling.maxTokens is not in 1..=1000",
        ),
        (
            r#"{"connectionScaling": {"maxConnectionsPerSubchannel": 0}}"#,
            "connectionScaling.maxConnectionsPerSubchannel is 0: no call could ever be made",
        ),
        ("{\n  \"methodConfig\": [,]\n}", "line 2, column 20: expected value"),
        ("", "line 1, column 0: EOF while parsing a value"),
    ] {
        assert_eq!(
            ServiceConfig::from_json(text).unwrap_err().to_string(),
            expected,
            "{text}"
        );
    }
}

/// Path, line and column of each mistake.
fn places(text: &str) -> Vec<(String, (usize, usize))> {
    let error = ServiceConfig::from_json(text).unwrap_err();
    let place = |mistake: &Mistake| (mistake.path().unwrap().to_owned(), mistake.line_and_column());
    error.mistakes().iter().map(place).collect()
}

#[test]
fn all_mistakes_are_listed() {
    let text = r#"{
  "methodConfig": [
    {"name": [{"service": "a", "method": "B"}, {"method": "C"}], "timeout": "1",
     "retryPolicy": {"maxAttempts": 1.5, "initialBackoff": "1s",
       "retryableStatusCodes": ["UNAVAILABLE", "X", "\u00fcY"]}},
    {"name": [{"service": "a", "method": "B"}], "hedgingPolicy": {}, "timeout": "1s", "time\u006fut": 3},
    7
  ],
  "retryThrottling": {"maxTokens": 10},
  "connectionScaling": []
}"#;
    let policy = "methodConfig[0].retryPolicy";
    let expected = [
        ("methodConfig[0].name[1]".to_owned(), (3, 48)),
        ("methodConfig[0].timeout".to_owned(), (3, 77)),
        (format!("{policy}.maxBackoff"), (4, 21)),
        (format!("{policy}.backoffMultiplier"), (4, 21)),
        (format!("{policy}.maxAttempts"), (4, 37)),
        (format!("{policy}.retryableStatusCodes[1]"), (5, 48)),
        (format!("{policy}.retryableStatusCodes[2]"), (5, 53)),
        ("methodConfig[1].name[0]".to_owned(), (6, 15)),
        ("methodConfig[1].hedgingPolicy.maxAttempts".to_owned(), (6, 66)),
        ("methodConfig[1].timeout".to_owned(), (6, 103)),
        ("methodConfig[2]".to_owned(), (7, 5)),
        ("retryThrottling.tokenRatio".to_owned(), (9, 22)),
        ("connectionScaling".to_owned(), (10, 24)),
    ];
    assert_eq!(places(text), expected);
    let printed = ServiceConfig::from_json(text).unwrap_err().to_string();
    assert!(
        printed.contains("maxBackoff is missing: gRPC requires it; methodConfig[0]"),
        "{printed}"
    );
    assert_eq!(places(" \n [1]"), [(String::new(), (2, 2))]);
}

#[test]
fn the_list_of_mistakes_is_bounded() {
    let wrong = vec!["7"; 10_000].join(",");
    assert_eq!(places(&format!(r#"{{"methodConfig": [{wrong}]}}"#)).len(), 100);
}

#[test]
fn nothing_that_is_read_panics() {
    let whole = format!(
        r#"{{"methodConfig": [{{"name": [{{"service": "a.B"}}], "timeout": "1.5s", {}}}],
            "retryThrottling": {{"maxTokens": 10, "tokenRatio": 0.1}}}}"#,
        retry(RETRY)
    );
    for end in 0..whole.len() {
        assert!(ServiceConfig::from_json(&whole[..end]).is_err());
    }
    // Deep nesting is refused before it is deep enough to harm the stack.
    assert!(ServiceConfig::from_json(&"[".repeat(100_000)).is_err());
    for path in ["a.b", "[0]", "methodConfig[9].x", "methodConfig[0].name[x]", ""] {
        for text in [whole.as_str(), "", "[", "{\"a\": 1"] {
            ServiceConfig::place(text, path);
        }
    }
}
