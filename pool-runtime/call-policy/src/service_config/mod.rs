//! gRPC's service config (`grpc.service_config.ServiceConfig`) in JSON, as teams keep it and other gRPC clients read it.

mod read;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::fmt;

use crate::{MethodConfig, RetryThrottling};

/// A service config: what is said of calls, by method, and of the pool that carries them.
///
/// Read are `methodConfig` with `name`, `timeout`, `waitForReady`, `retryPolicy`, `hedgingPolicy`,
/// `maxRequestMessageBytes` and `maxResponseMessageBytes`, then `retryThrottling`, and gRFC A105's `connectionScaling`.
/// What else there is, the choice of a load balancer for example, is left to others and ignored (gRFC A21); so is a
/// `methodConfig` without names, as in the schema.
///
/// ```
/// use pool_call_policy::ServiceConfig;
///
/// let config = ServiceConfig::from_json(r#"{
///     "methodConfig": [{ "name": [{ "service": "helloworld.Greeter" }], "timeout": "1.5s" }]
/// }"#)?;
/// let method = config.method("helloworld.Greeter", "SayHello");
/// assert_eq!(method.and_then(|method| method.timeout?.as_millis().into()), Some(1500));
/// # Ok::<(), pool_call_policy::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServiceConfig {
    services: HashMap<String, Service>,
    default: Option<MethodConfig>,
    names: Vec<Name>,
    retry_throttling: Option<RetryThrottling>,
    max_connections: Option<usize>,
}

/// What is said of the methods of one service.
#[derive(Debug, Clone, PartialEq, Default)]
struct Service {
    methods: HashMap<String, MethodConfig>,
    default: Option<MethodConfig>,
}

/// A service or a method that a config names, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Name {
    /// The place in the JSON: `methodConfig[0].name[1]`.
    pub path: String,
    /// `package.Service`; absent where the name is that of the default for all services.
    pub service: Option<String>,
    /// The method; absent where all methods of the service are meant.
    pub method: Option<String>,
}

impl ServiceConfig {
    /// Reads a service config.
    ///
    /// Names of fields are those of protobuf's JSON (`methodConfig`); numbers may be strings of digits, and `null` says
    /// as little as nothing at all, as in protobuf. Of a field that stands there twice the last one counts.
    ///
    /// # Errors
    ///
    /// Text that is not JSON, and any value of a known field that cannot be followed: then nothing of the config may be
    /// (gRFC A21). These are beside values of the wrong type: a retry policy without one of its fields; a policy that
    /// its constructor refuses; both policies for one method; a method without a service; a name that was there
    /// before; and the zero that no call and no pool could live with, as `timeout` or
    /// `maxConnectionsPerSubchannel`.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let value = serde_json::from_str(text).map_err(|error| ConfigError::syntax(&error))?;
        read::service_config(&value)
    }

    /// What is said of a method: by its own name, else by its service's, else by the default. The first of these is
    /// all that counts; they are not joined (gRPC's service config document).
    pub fn method(&self, service: &str, method: &str) -> Option<&MethodConfig> {
        let service = self.services.get(service);
        service
            .and_then(|service| service.methods.get(method).or(service.default.as_ref()))
            .or(self.default.as_ref())
    }

    /// All names in the config, in its order.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// When retries and hedging stop because too many calls fail (`retryThrottling`).
    pub fn retry_throttling(&self) -> Option<RetryThrottling> {
        self.retry_throttling
    }

    /// The most connections (`connectionScaling.maxConnectionsPerSubchannel`, gRFC A105), as the service's owners see
    /// it. The limit of the pool itself binds too.
    pub fn max_connections(&self) -> Option<usize> {
        self.max_connections
    }
}

/// Why a text is no service config: the problem, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    place: Place,
    problem: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Text { line: usize, column: usize },
    Field(String),
}

impl ConfigError {
    fn at(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            place: Place::Field(path.into()),
            problem: problem.into(),
        }
    }

    fn syntax(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        // The same place is at the end of the error's own text.
        let problem = error.to_string();
        let end = format!(" at line {line} column {column}");
        Self {
            place: Place::Text { line, column },
            problem: problem.strip_suffix(&end).unwrap_or(&problem).to_owned(),
        }
    }

    /// The field at fault, `methodConfig[2].retryPolicy.maxAttempts` for example; none if the text is not JSON, and
    /// the empty one if it is JSON but no object.
    pub fn path(&self) -> Option<&str> {
        match &self.place {
            Place::Field(path) => Some(path),
            Place::Text { .. } => None,
        }
    }

    /// Line and column, each from 1, where the text stops being JSON.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        match self.place {
            Place::Text { line, column } => Some((line, column)),
            Place::Field(_) => None,
        }
    }

    /// What is wrong there.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Text { line, column } => write!(f, "line {line}, column {column}: ")?,
            Place::Field(path) if path.is_empty() => f.write_str("the service config ")?,
            Place::Field(path) => write!(f, "{path} ")?,
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}
