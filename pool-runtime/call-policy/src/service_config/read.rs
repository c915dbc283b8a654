//! The schema: which fields there are, and what they may say.

use serde_json::Value;

use super::error::Problem;
use super::value::{Node, Object, Problems};
use super::{Name, ServiceConfig};
use crate::{Attempts, Codes, HedgingPolicy, InvalidPolicy, MethodConfig, RetryPolicy, RetryThrottling};

/// Reads the whole, and notes every problem on the way: somebody else may have to mend the file.
pub(super) fn service_config(value: &Value) -> Result<ServiceConfig, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut config = ServiceConfig::default();
    if let Some(root) = problems.note(Node::root(value).object()) {
        for entry in items(root.get("methodConfig"), &mut problems) {
            if let Some(entry) = problems.note(entry.object()) {
                add(&mut config, &entry, &mut problems);
            }
        }
        config.retry_throttling = section(&root, "retryThrottling", &mut problems, retry_throttling);
        config.max_connections = section(&root, "connectionScaling", &mut problems, max_connections);
    }
    problems.into_result(config)
}

/// The elements of an array, if there is one.
fn items<'a>(list: Option<Node<'a>>, problems: &mut Problems) -> Vec<Node<'a>> {
    let items = list.and_then(|list| problems.note(list.items().map(Iterator::collect)));
    items.unwrap_or_default()
}

/// An object in a field, if it is there.
fn section<'a, T>(
    parent: &Object<'a>,
    name: &str,
    problems: &mut Problems,
    read: impl FnOnce(&Object<'a>, &mut Problems) -> Option<T>,
) -> Option<T> {
    let object = problems.note(parent.get(name)?.object())?;
    read(&object, problems)
}

/// Adds one element of `methodConfig` under each of its names.
fn add(config: &mut ServiceConfig, entry: &Object<'_>, problems: &mut Problems) {
    let names = items(entry.get("name"), problems);
    let method = method_config(entry, problems);
    for node in names {
        let Some(name) = problems.note(name(node)) else {
            continue;
        };
        let before = match (&name.service, &name.method) {
            (None, _) => config.default.replace(method),
            (Some(service), None) => config
                .services
                .entry(service.clone())
                .or_default()
                .default
                .replace(method),
            (Some(service), Some(name)) => {
                let service = config.services.entry(service.clone()).or_default();
                service.methods.insert(name.clone(), method)
            }
        };
        if before.is_some() {
            problems.add(named_again(name, &config.names));
        } else {
            config.names.push(name);
        }
    }
}

fn named_again(name: Name, names: &[Name]) -> Problem {
    let is_same = |known: &&Name| (&known.service, &known.method) == (&name.service, &name.method);
    let first = names.iter().find(is_same).map_or("another", |known| &known.path);
    Problem {
        problem: format!("names again what {first} has named"),
        path: name.path,
    }
}

/// The empty name, `null` and none at all are the same.
fn name(node: Node<'_>) -> Result<Name, Problem> {
    let path = node.path().to_owned();
    let object = node.object()?;
    let text = |field| match object.optional(field, |node| node.string())? {
        None | Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
    };
    let (service, method) = (text("service")?, text("method")?);
    if service.is_none() && method.is_some() {
        return Err(Problem {
            path,
            problem: "names a method without its service".to_owned(),
        });
    }
    Ok(Name { path, service, method })
}

fn method_config(entry: &Object<'_>, problems: &mut Problems) -> MethodConfig {
    let timeout = entry.optional("timeout", |node| match node.duration()? {
        zero if zero.is_zero() => Err(node.invalid("is 0: every call would fail")),
        timeout => Ok(timeout),
    });
    let timeout = problems.note(timeout).flatten();
    let wait_for_ready = problems
        .note(entry.optional("waitForReady", |node| node.boolean()))
        .flatten();
    let attempts = attempts(entry, problems);
    let mut bytes = |field| {
        let bytes = entry.optional(field, |node| node.integer().map(|bytes| bytes as usize));
        problems.note(bytes).flatten()
    };
    MethodConfig {
        timeout,
        wait_for_ready,
        attempts,
        max_request_message_bytes: bytes("maxRequestMessageBytes"),
        max_response_message_bytes: bytes("maxResponseMessageBytes"),
    }
}

fn attempts(entry: &Object<'_>, problems: &mut Problems) -> Option<Attempts> {
    if entry.get("retryPolicy").is_some() && entry.get("hedgingPolicy").is_some() {
        problems.add(entry.invalid(
            "hedgingPolicy",
            "stands beside a retryPolicy: a method has one of the two",
        ));
    }
    let retry = section(entry, "retryPolicy", problems, retry_policy).map(Attempts::Retry);
    let hedge = section(entry, "hedgingPolicy", problems, hedging_policy).map(Attempts::Hedge);
    retry.or(hedge)
}

fn retry_policy(policy: &Object<'_>, problems: &mut Problems) -> Option<RetryPolicy> {
    let attempts = problems.note(policy.require("maxAttempts").and_then(|node| node.integer()));
    let initial = problems.note(policy.require("initialBackoff").and_then(|node| node.duration()));
    let max = problems.note(policy.require("maxBackoff").and_then(|node| node.duration()));
    let multiplier = problems.note(policy.require("backoffMultiplier").and_then(|node| node.number()));
    let codes = problems
        .note(policy.require("retryableStatusCodes"))
        .and_then(|node| codes(&node, problems));
    let made = RetryPolicy::new(attempts?, initial?, max?, multiplier?, codes?);
    problems.note(made.map_err(|error| named(policy, &error)))
}

fn hedging_policy(policy: &Object<'_>, problems: &mut Problems) -> Option<HedgingPolicy> {
    let attempts = problems.note(policy.require("maxAttempts").and_then(|node| node.integer()));
    let delay = problems.note(policy.optional("hedgingDelay", |node| node.duration()));
    let codes = match policy.get("nonFatalStatusCodes") {
        Some(node) => codes(&node, problems),
        None => Some(Codes::NONE),
    };
    let made = HedgingPolicy::new(attempts?, delay?.unwrap_or_default(), codes?);
    problems.note(made.map_err(|error| named(policy, &error)))
}

fn retry_throttling(policy: &Object<'_>, problems: &mut Problems) -> Option<RetryThrottling> {
    let tokens = problems.note(policy.require("maxTokens").and_then(|node| node.integer()));
    let ratio = problems.note(policy.require("tokenRatio").and_then(|node| node.number()));
    let made = RetryThrottling::new(tokens?, ratio?);
    problems.note(made.map_err(|error| named(policy, &error)))
}

fn max_connections(scaling: &Object<'_>, problems: &mut Problems) -> Option<usize> {
    let most = scaling.optional("maxConnectionsPerSubchannel", |node| match node.integer()? {
        0 => Err(node.invalid("is 0: no call could ever be made")),
        most => Ok(most as usize),
    });
    problems.note(most).flatten()
}

/// Names in any case, or numbers.
fn codes(list: &Node<'_>, problems: &mut Problems) -> Option<Codes> {
    let mut codes = Some(Codes::NONE);
    for node in problems.note(list.items())? {
        let code = problems.note(code(&node));
        codes = codes.zip(code).map(|(codes, code)| codes.with(code));
    }
    codes
}

fn code(node: &Node<'_>) -> Result<u8, Problem> {
    let Ok(name) = node.string() else {
        let number = node.integer()?;
        return match u8::try_from(number) {
            Ok(code) if !Codes::NONE.with(code).is_empty() => Ok(code),
            _ => Err(node.invalid(format!(
                "is {number}, not the number of a status code: those are 0 to 16"
            ))),
        };
    };
    Codes::number(name).ok_or_else(|| {
        let hint = Codes::nearest(name).map_or_else(String::new, |known| format!(", did you mean \"{known}\"?"));
        node.invalid(format!("is \"{name}\", not the name of a status code{hint}"))
    })
}

/// The error of a constructor at the field that the JSON knows by another name.
fn named(policy: &Object<'_>, error: &InvalidPolicy) -> Problem {
    let field = match error.field() {
        "max_attempts" => "maxAttempts",
        "initial_backoff" => "initialBackoff",
        "max_backoff" => "maxBackoff",
        "backoff_multiplier" => "backoffMultiplier",
        "codes" => "retryableStatusCodes",
        "max_tokens" => "maxTokens",
        "token_ratio" => "tokenRatio",
        other => other,
    };
    policy.invalid(field, error.problem())
}
