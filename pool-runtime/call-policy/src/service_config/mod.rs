//! gRPC's service config (`grpc.service_config.ServiceConfig`) in JSON, as teams keep it and other gRPC clients read it.

mod error;
mod place;
mod read;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;

pub use self::error::{ConfigError, Mistake};
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
    /// (gRFC A21). The error lists all of them. These are beside values of the wrong type: a retry policy without one of its fields; a policy that
    /// its constructor refuses; both policies for one method; a method without a service; a name that was there
    /// before; and the zero that no call and no pool could live with, as `timeout` or
    /// `maxConnectionsPerSubchannel`.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let value = serde_json::from_str(text).map_err(|error| ConfigError::syntax(&error))?;
        read::service_config(&value).map_err(|problems| ConfigError::new(text, problems))
    }

    /// Line and column, each from 1, of the value at `path` in the text of a service config: `methodConfig[0].name[1]`.
    /// For a field that is missing it is the place of the object that should have it.
    pub fn place(text: &str, path: &str) -> (usize, usize) {
        place::of(text, path)
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
