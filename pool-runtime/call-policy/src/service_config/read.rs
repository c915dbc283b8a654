//! The schema: which fields there are, and what they may say.

use serde_json::Value;

use super::value::{Node, Object};
use super::{ConfigError, Name, ServiceConfig};
use crate::{Attempts, Codes, HedgingPolicy, InvalidPolicy, MethodConfig, RetryPolicy, RetryThrottling};

pub(super) fn service_config(value: &Value) -> Result<ServiceConfig, ConfigError> {
    let root = Node::root(value).object()?;
    let mut config = ServiceConfig {
        retry_throttling: root.optional("retryThrottling", retry_throttling)?,
        max_connections: root.optional("connectionScaling", max_connections)?.flatten(),
        ..ServiceConfig::default()
    };
    if let Some(list) = root.get("methodConfig") {
        for entry in list.items()? {
            add(&mut config, &entry.object()?)?;
        }
    }
    Ok(config)
}

/// Adds one element of `methodConfig` under each of its names.
fn add(config: &mut ServiceConfig, entry: &Object<'_>) -> Result<(), ConfigError> {
    let method = method_config(entry)?;
    let Some(list) = entry.get("name") else {
        return Ok(());
    };
    for node in list.items()? {
        let name = name(node)?;
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
            return Err(named_again(name, &config.names));
        }
        config.names.push(name);
    }
    Ok(())
}

fn named_again(name: Name, names: &[Name]) -> ConfigError {
    let is_same = |known: &&Name| (&known.service, &known.method) == (&name.service, &name.method);
    let first = names.iter().find(is_same).map_or("another", |known| &known.path);
    let problem = format!("names again what {first} has named");
    ConfigError::at(name.path, problem)
}

/// The empty name, `null` and none at all are the same.
fn name(node: Node<'_>) -> Result<Name, ConfigError> {
    let path = node.path().to_owned();
    let object = node.object()?;
    let text = |field| match object.optional(field, |node| node.string())? {
        None | Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
    };
    let (service, method) = (text("service")?, text("method")?);
    if service.is_none() && method.is_some() {
        return Err(ConfigError::at(path, "names a method without its service"));
    }
    Ok(Name { path, service, method })
}

fn method_config(entry: &Object<'_>) -> Result<MethodConfig, ConfigError> {
    let timeout = entry.optional("timeout", |node| match node.duration()? {
        zero if zero.is_zero() => Err(node.invalid("is 0: every call would fail")),
        timeout => Ok(timeout),
    })?;
    let bytes = |field| entry.optional(field, |node| node.integer().map(|bytes| bytes as usize));
    Ok(MethodConfig {
        timeout,
        wait_for_ready: entry.optional("waitForReady", |node| node.boolean())?,
        attempts: attempts(entry)?,
        max_request_message_bytes: bytes("maxRequestMessageBytes")?,
        max_response_message_bytes: bytes("maxResponseMessageBytes")?,
    })
}

fn attempts(entry: &Object<'_>) -> Result<Option<Attempts>, ConfigError> {
    let retry = entry.optional("retryPolicy", retry_policy)?;
    let hedge = entry.optional("hedgingPolicy", hedging_policy)?;
    match (retry, hedge) {
        (Some(_), Some(_)) => Err(ConfigError::at(
            entry.path_of("hedgingPolicy"),
            "stands beside a retryPolicy: a method has one of the two",
        )),
        (retry, hedge) => Ok(retry.map(Attempts::Retry).or(hedge.map(Attempts::Hedge))),
    }
}

fn retry_policy(node: Node<'_>) -> Result<RetryPolicy, ConfigError> {
    let policy = node.object()?;
    let made = RetryPolicy::new(
        policy.require("maxAttempts")?.integer()?,
        policy.require("initialBackoff")?.duration()?,
        policy.require("maxBackoff")?.duration()?,
        policy.require("backoffMultiplier")?.number()?,
        codes(policy.require("retryableStatusCodes")?)?,
    );
    made.map_err(|error| named(&policy, &error))
}

fn hedging_policy(node: Node<'_>) -> Result<HedgingPolicy, ConfigError> {
    let policy = node.object()?;
    let made = HedgingPolicy::new(
        policy.require("maxAttempts")?.integer()?,
        policy
            .optional("hedgingDelay", |node| node.duration())?
            .unwrap_or_default(),
        policy.optional("nonFatalStatusCodes", codes)?.unwrap_or_default(),
    );
    made.map_err(|error| named(&policy, &error))
}

fn retry_throttling(node: Node<'_>) -> Result<RetryThrottling, ConfigError> {
    let policy = node.object()?;
    let made = RetryThrottling::new(
        policy.require("maxTokens")?.integer()?,
        policy.require("tokenRatio")?.number()?,
    );
    made.map_err(|error| named(&policy, &error))
}

fn max_connections(node: Node<'_>) -> Result<Option<usize>, ConfigError> {
    let scaling = node.object()?;
    scaling.optional("maxConnectionsPerSubchannel", |node| match node.integer()? {
        0 => Err(node.invalid("is 0: no call could ever be made")),
        most => Ok(most as usize),
    })
}

/// Names in any case, or numbers.
fn codes(list: Node<'_>) -> Result<Codes, ConfigError> {
    list.items()?
        .try_fold(Codes::NONE, |codes, node| Ok(codes.with(code(&node)?)))
}

fn code(node: &Node<'_>) -> Result<u8, ConfigError> {
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
fn named(policy: &Object<'_>, error: &InvalidPolicy) -> ConfigError {
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
    ConfigError::at(policy.path_of(field), error.problem())
}
