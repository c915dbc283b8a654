//! The cases: a service config, the calls made with it, and how the server is told to treat them.

use std::time::Duration;

use serde_json::{Value, json};
use tests::pb::{Failure, Script, TestRequest};
use tonic::Code;

use super::reference::Reference;

/// In the keys of calls: who made them.
pub(super) const REFERENCE: &str = "reference";
pub(super) const POOL: &str = "pool";

const UNAVAILABLE: i32 = Code::Unavailable as i32;
const EXHAUSTED: i32 = Code::ResourceExhausted as i32;
const INTERNAL: i32 = Code::Internal as i32;

/// Calls, one after the other, over a channel of their own.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) config: Value,
    pub(super) calls: Vec<Call>,
    /// The server has asked for so much between the first two attempts.
    pub(super) least_gap: Option<Duration>,
    /// The pool tells the caller another code on purpose: why.
    pub(super) other_code: Option<&'static str>,
}

/// What the server does with a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Call {
    code: i32,
    /// Only that many attempts fail; 0 means all.
    fail_first: u32,
    delay_ms: u32,
    pushback: Option<&'static str>,
    /// Headers go out before it fails.
    headers: bool,
}

/// The cases for which that client is the reference.
pub(super) fn all(reference: Reference) -> Vec<Case> {
    match reference {
        Reference::Grpcio => [codes_and_counts(), pushback(), throttling()]
            .into_iter()
            .flatten()
            .collect(),
        Reference::GrpcJs => hedging().into_iter().chain(not_for_grpcio()).collect(),
    }
}

fn codes_and_counts() -> Vec<Case> {
    let unavailable = ["UNAVAILABLE"];
    vec![
        Case::one("no policy", json!({}), fails(UNAVAILABLE)),
        Case::one("fails twice", retry(4, &unavailable), fails_first(2, UNAVAILABLE)),
        Case::one("fails always", retry(3, &unavailable), fails(UNAVAILABLE)),
        Case::one("9 attempts are 5", retry(9, &unavailable), fails(UNAVAILABLE)),
        Case::one("code not listed", retry(3, &unavailable), fails(INTERNAL)),
        Case::one(
            "second code listed",
            retry(3, &["UNAVAILABLE", "RESOURCE_EXHAUSTED"]),
            fails(EXHAUSTED),
        ),
        Case::one(
            "headers commit",
            retry(3, &unavailable),
            Call {
                headers: true,
                ..fails(UNAVAILABLE)
            },
        ),
        Case::one("succeeds", retry(3, &unavailable), Call::default()),
    ]
}

fn pushback() -> Vec<Case> {
    let pushed = |pushback, call| Call {
        pushback: Some(pushback),
        ..call
    };
    let config = || retry(3, &["UNAVAILABLE"]);
    vec![
        Case {
            least_gap: Some(Duration::from_millis(200)),
            ..Case::one("pushback 200", config(), pushed("200", fails_first(1, UNAVAILABLE)))
        },
        Case::one("pushback -1", config(), pushed("-1", fails(UNAVAILABLE))),
        Case::one("pushback unreadable", config(), pushed("soon", fails(UNAVAILABLE))),
        Case::one("pushback, code not listed", config(), pushed("0", fails(INTERNAL))),
    ]
}

fn throttling() -> Vec<Case> {
    let config = |tokens, ratio: f64| {
        let mut config = retry(5, &["UNAVAILABLE"]);
        config["retryThrottling"] = json!({ "maxTokens": tokens, "tokenRatio": ratio });
        config
    };
    let (good, bad) = (Call::default(), fails(UNAVAILABLE));
    vec![
        Case::many("throttled", config(4, 0.1), vec![bad; 4]),
        Case::many(
            "throttle opens again",
            config(4, 1.0),
            vec![bad, bad, good, good, good, bad, bad],
        ),
        Case::many("other codes do not throttle", config(4, 0.1), vec![fails(INTERNAL); 4]),
    ]
}

/// What grpcio 1.85 cannot be the reference for: it never retries after a pushback of 0, and it counts a timeout of a
/// service config from some time before the call. (grpc-js takes the digits of its fraction for nanoseconds: whole seconds.)
fn not_for_grpcio() -> Vec<Case> {
    let pushed = Call {
        pushback: Some("0"),
        ..fails_first(1, UNAVAILABLE)
    };
    let slow = Call {
        delay_ms: 2000,
        ..Call::default()
    };
    let mut config = retry(3, &["UNAVAILABLE"]);
    config["methodConfig"][0]["timeout"] = json!("1s");
    let mut patient = config.clone();
    patient["methodConfig"][0]["retryPolicy"]["initialBackoff"] = json!("5s");
    patient["methodConfig"][0]["retryPolicy"]["maxBackoff"] = json!("5s");
    vec![
        Case::one("pushback 0", retry(3, &["UNAVAILABLE"]), pushed),
        Case::one("deadline during an attempt", config, slow),
        Case {
            other_code: Some("a wait past the deadline is spared, and the caller told the failure itself"),
            ..Case::one("deadline during the backoff", patient, fails(UNAVAILABLE))
        },
    ]
}

fn hedging() -> Vec<Case> {
    let slow = Call {
        delay_ms: 400,
        ..Call::default()
    };
    let pushed = |pushback, call| Call {
        pushback: Some(pushback),
        ..call
    };
    vec![
        Case::one("hedge, all slow", hedge(3, "0.08s"), slow),
        Case::one("hedge, fast answer", hedge(3, "0.3s"), Call::default()),
        Case::one("hedge, 9 attempts are 5", hedge(9, "0.03s"), slow),
        Case::one("hedge, fatal failure", hedge(3, "0.3s"), fails(INTERNAL)),
        Case::one("hedge, non-fatal at once", hedge(3, "5s"), fails(UNAVAILABLE)),
        Case::one("hedge, first fails", hedge(3, "5s"), fails_first(1, UNAVAILABLE)),
        Case::one("hedge, pushback -1", hedge(3, "5s"), pushed("-1", fails(UNAVAILABLE))),
        Case {
            least_gap: Some(Duration::from_millis(200)),
            ..Case::one(
                "hedge, pushback 200",
                hedge(3, "5s"),
                pushed("200", fails_first(1, UNAVAILABLE)),
            )
        },
    ]
}

fn retry(attempts: u32, codes: &[&str]) -> Value {
    json!({ "methodConfig": [{
        "name": [{ "service": "pooltest.TestService" }],
        "retryPolicy": {
            "maxAttempts": attempts,
            "initialBackoff": "0.01s",
            "maxBackoff": "0.05s",
            "backoffMultiplier": 2.0,
            "retryableStatusCodes": codes,
        },
    }] })
}

fn hedge(attempts: u32, delay: &str) -> Value {
    json!({ "methodConfig": [{
        "name": [{ "service": "pooltest.TestService" }],
        "hedgingPolicy": { "maxAttempts": attempts, "hedgingDelay": delay, "nonFatalStatusCodes": ["UNAVAILABLE"] },
    }] })
}

fn fails(code: i32) -> Call {
    fails_first(0, code)
}

fn fails_first(fail_first: u32, code: i32) -> Call {
    Call {
        code,
        fail_first,
        ..Call::default()
    }
}

impl Case {
    fn one(name: &'static str, config: Value, call: Call) -> Self {
        Self::many(name, config, vec![call])
    }

    fn many(name: &'static str, config: Value, calls: Vec<Call>) -> Self {
        Self {
            name,
            config,
            calls,
            least_gap: None,
            other_code: None,
        }
    }

    /// What the server knows the calls of `who` by.
    pub(super) fn keys(&self, who: &str) -> impl Iterator<Item = String> {
        (0..self.calls.len()).map(move |index| format!("{who} {} {index}", self.name))
    }

    pub(super) fn requests(&self, who: &str) -> impl Iterator<Item = TestRequest> {
        self.keys(who).zip(&self.calls).map(|(key, call)| TestRequest {
            payload: Vec::new(),
            script: Some(call.script(key)),
        })
    }

    /// The same in protobuf's JSON, with the names of the .proto.
    pub(super) fn requests_as_json(&self, who: &str) -> impl Iterator<Item = Value> {
        self.requests(who).filter_map(|request| request.script).map(|script| {
            let failure = script.failure.map(|failure| json!({ "code": failure.code }));
            json!({ "script": {
                "key": script.key,
                "delay_ms": script.delay_ms,
                "fail_first": script.fail_first,
                "failure": failure,
                "headers": script.headers,
                "trailers": script.trailers,
            } })
        })
    }
}

impl Call {
    fn script(&self, key: String) -> Script {
        let pushback = self
            .pushback
            .map(|ms| ("grpc-retry-pushback-ms".to_owned(), ms.to_owned()));
        let headers = self.headers.then(|| ("committed".to_owned(), "yes".to_owned()));
        Script {
            key,
            delay_ms: self.delay_ms,
            fail_first: self.fail_first,
            failure: (self.code != 0).then(|| Failure {
                code: self.code,
                ..Failure::default()
            }),
            headers: headers.into_iter().collect(),
            trailers: pushback.into_iter().collect(),
            ..Script::default()
        }
    }
}
