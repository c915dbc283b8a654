//! What becomes of a service config: a part of the description, or an error that says where.

use pool_build::UnknownNames;

use crate::golden::{compare, hidden};
use crate::support::{Folder, PROTOS, stdout_of};

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
            "DIR/config.json:1:31: methodConfig[0].timeout is no duration: `1` is not a duration: write seconds, with up \
             to nine digits behind the point, for example \"30s\" or \"0.25s\"",
        ),
        (
            "{\n \"methodConfig\": [{\n  \"timeout\": 1,\n  \"retryPolicy\": {\"maxAttempts\": 5}\n }]\n}".to_owned(),
            "5 mistakes in the service config\n\
             DIR/config.json:3:14: methodConfig[0].timeout is a number, not a string\n\
             DIR/config.json:4:18: methodConfig[0].retryPolicy.initialBackoff is missing: gRPC requires it\n\
             DIR/config.json:4:18: methodConfig[0].retryPolicy.maxBackoff is missing: gRPC requires it\n\
             DIR/config.json:4:18: methodConfig[0].retryPolicy.backoffMultiplier is missing: gRPC requires it\n\
             DIR/config.json:4:18: methodConfig[0].retryPolicy.retryableStatusCodes is missing: gRPC requires it",
        ),
        (
            named(r#"{}, {"service": "helloworld.Greeter", "method": "SayHelo"}"#),
            "DIR/config.json:1:33: methodConfig[0].name[1]: `helloworld.Greeter` has no method `SayHelo`, did you mean \
             `SayHello`?",
        ),
        (
            named(r#"{"service": "helloworld.Greter"}"#),
            "DIR/config.json:1:29: methodConfig[0].name[0]: there is no service `helloworld.Greter`, did you mean \
             `helloworld.Greeter`?",
        ),
        (
            named(
                "{\"service\": \"helloworld.Greter\"},\n{\"service\": \"helloworld.X\"},\n\
                   {\"service\": \"helloworld.Greeter\", \"method\": \"say_hello\"}",
            ),
            "2 mistakes in the service config\n\
             DIR/config.json:1:29: methodConfig[0].name[0]: there is no service `helloworld.Greter`, did you mean \
             `helloworld.Greeter`?\n\
             DIR/config.json:3:1: methodConfig[0].name[2]: `helloworld.Greeter` has no method `say_hello`, did you mean \
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

const SHOP: &str = "syntax = \"proto3\";\npackage shop;\nmessage M {}\nservice Cart {\n  rpc Add(M) returns (M);\n  \
                    rpc SetIamPolicy(M) returns (M);\n}\n";

/// Names of a package that is compiled in part, and of one that is not compiled.
fn shop_config(names: &[&str]) -> String {
    let name = |name: &&str| match name.split_once('/') {
        Some((service, method)) => format!(r#"{{"service": "{service}", "method": "{method}"}}"#),
        None => format!(r#"{{"service": "{name}"}}"#),
    };
    let names: Vec<String> = names.iter().map(name).collect();
    format!(
        "{{\n\"methodConfig\": [{{\"timeout\": \"2s\", \"name\": [\n{}\n]}}]}}",
        names.join(",\n")
    )
}

/// Builds the shop; the output is that of a build script, the error included.
fn build_shop(names: &[&str], unknown: UnknownNames) -> String {
    let folder = Folder::new(&[("a.proto", SHOP), ("config.json", &shop_config(names))]);
    let build = folder.build().service_config(folder.path("config.json"));
    match build
        .unknown_names(unknown)
        .compile_protos(&[folder.path("a.proto")], &[&folder])
    {
        Ok(()) => String::new(),
        Err(error) => format!("{error:?}").replace(&folder.path("").display().to_string(), "DIR/"),
    }
}

#[test]
fn unknown_names_are_warned_of_once() {
    const NAMES: &[&str] = &[
        "shop.Cart",
        "shop.Till",
        "shop.Cart/Add",
        "shop.Cart/TestIamPermissions",
        "shop.Cart/GetIamPolicy",
        "other.Service/Method",
        "shop.Cart/SetIamPolicy",
        "shop.Depot/Add",
    ];
    let output = stdout_of("service_config::unknown_names_are_warned_of_once", || {
        assert_eq!(build_shop(NAMES, UnknownNames::default()), "");
    });
    let Some(output) = output else { return };
    let warnings: Vec<&str> = output.lines().filter(|line| line.starts_with("cargo:")).collect();
    let [warning] = warnings[..] else { panic!("{output}") };
    let (before, after) = warning.split_once("config.json").unwrap();
    assert!(before.starts_with("cargo:warning="), "{warning}");
    assert_eq!(
        after,
        ":4:1: 4 names are ignored, because no compiled .proto has `shop.Till`, `shop.Cart/TestIamPermissions`, \
         `shop.Cart/GetIamPolicy`, and 1 more"
    );
}

#[test]
fn unknown_names_can_be_refused() {
    let names = ["shop.Till", "shop.Cart/Frobnicate", "other.Service"];
    assert_eq!(
        build_shop(&names, UnknownNames::Refuse),
        "2 mistakes in the service config\n\
         DIR/config.json:3:1: methodConfig[0].name[0]: there is no service `shop.Till`; there is `shop.Cart`\n\
         DIR/config.json:4:1: methodConfig[0].name[1]: `shop.Cart` has no method `Frobnicate`; there is `Add`, \
         `SetIamPolicy`"
    );
}

#[test]
fn a_likely_typo_is_refused() {
    let typo = ["shop.Cart/SetIamPolcy"];
    let mistake = "DIR/config.json:3:1: methodConfig[0].name[0]: `shop.Cart` has no method `SetIamPolcy`, did you mean \
                   `SetIamPolicy`?";
    assert_eq!(build_shop(&typo, UnknownNames::default()), mistake);
    assert_eq!(build_shop(&typo, UnknownNames::Warn), "");
    // The config has that name as well, so another method is meant.
    let both = ["shop.Cart/GetIamPolicy", "shop.Cart/SetIamPolicy"];
    assert_eq!(build_shop(&both, UnknownNames::default()), "");
}
