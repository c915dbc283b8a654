//! What becomes of a service config: a part of the description, or an error that says where.

use crate::golden::{compare, hidden};
use crate::support::{Folder, PROTOS};

/// Builds `helloworld.proto` with this config; the error is what a build script would print.
fn build(json: &str) -> Result<String, String> {
    let folder = Folder::new(&[("config.json", json)]);
    let build = folder
        .build()
        .build_server(false)
        .service_config(folder.path("config.json"));
    match build.compile_protos(&["helloworld.proto"], &[PROTOS]) {
        Ok(()) => Ok(folder.read("helloworld.rs")),
        Err(error) => {
            let dir = folder.path("").display().to_string();
            Err(format!("{error:?}").replace(&dir, "DIR/"))
        }
    }
}

#[test]
fn a_description_has_what_the_config_says() {
    let source = build(
        r#"{
            "methodConfig": [
                {
                    "name": [{ "service": "helloworld.Greeter", "method": "SayHello" }],
                    "timeout": "1.5s",
                    "retryPolicy": {
                        "maxAttempts": 4,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "1s",
                        "backoffMultiplier": 1.5,
                        "retryableStatusCodes": ["UNAVAILABLE", "aborted"]
                    },
                    "maxRequestMessageBytes": 1000,
                    "maxResponseMessageBytes": "2000"
                },
                {
                    "name": [{ "service": "helloworld.Greeter", "method": "SayManyHellos" }],
                    "hedgingPolicy": { "maxAttempts": 3 }
                },
                { "name": [{ "service": "helloworld.Greeter" }], "waitForReady": true },
                { "name": [{ "service": "somebody.Elses" }], "timeout": "9s" },
                { "name": [{ "service": "helloworld.Greeter", "method": "Chat" }] }
            ],
            "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 },
            "connectionScaling": { "maxConnectionsPerSubchannel": 3 }
        }"#,
    );
    compare("service_config.rs", &hidden(&source.unwrap()));
}

#[test]
fn a_config_that_says_nothing_of_a_service_changes_nothing() {
    let plain = build("{}").unwrap();
    let other = r#"{"methodConfig": [{"name": [{"service": "other.Service"}], "timeout": "1s"}]}"#;
    assert_eq!(build(other).unwrap(), plain);
}

#[test]
fn what_is_wrong_with_a_config_is_named_with_its_place() {
    let named = |names: &str| format!(r#"{{"methodConfig": [{{"name": [{names}], "timeout": "1s"}}]}}"#);
    let rows = [
        (
            "{\n  \"methodConfig\": [,]\n}".to_owned(),
            "DIR/config.json:2:20: expected value",
        ),
        (
            r#"{"methodConfig": [{"timeout": "1"}]}"#.to_owned(),
            "DIR/config.json: methodConfig[0].timeout is no duration: `1` is not a duration: write seconds, with up to \
             nine digits behind the point, for example \"30s\" or \"0.25s\"",
        ),
        (
            named(r#"{}, {"service": "helloworld.Greeter", "method": "SayHelo"}"#),
            "DIR/config.json: methodConfig[0].name[1]: `helloworld.Greeter` has no method `SayHelo`, did you mean \
             `SayHello`?",
        ),
        (
            named(r#"{"service": "helloworld.Greeter", "method": "Frobnicate"}"#),
            "DIR/config.json: methodConfig[0].name[0]: `helloworld.Greeter` has no method `Frobnicate`; there is \
             `SayHello`, `SayManyHellos`, `SayHelloToAll`, `Chat`",
        ),
        (
            named(r#"{"service": "helloworld.Greter"}"#),
            "DIR/config.json: methodConfig[0].name[0]: there is no service `helloworld.Greter`, did you mean \
             `helloworld.Greeter`?",
        ),
        (
            named(r#"{"service": "helloworld.X"}, {"service": "helloworld.Greeter", "method": "say_hello"}"#),
            "2 mistakes in the service config\n\
             DIR/config.json: methodConfig[0].name[0]: there is no service `helloworld.X`; there is \
             `helloworld.Greeter`\n\
             DIR/config.json: methodConfig[0].name[1]: `helloworld.Greeter` has no method `say_hello`, did you mean \
             `SayHello`?",
        ),
    ];
    for (json, expected) in rows {
        assert_eq!(build(&json).unwrap_err(), expected);
    }
}

#[test]
fn a_config_that_is_not_there_is_an_error_with_its_name() {
    let folder = Folder::new(&[]);
    let build = folder.build().service_config(folder.path("none.json"));
    let error = build.compile_protos(&["helloworld.proto"], &[PROTOS]).unwrap_err();
    let printed = format!("{error:?}");
    assert!(printed.contains("none.json: can't be read: "), "{printed}");
}
