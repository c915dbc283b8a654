//! What is known of an RPC, and of its pool, when the client is compiled.

use std::sync::OnceLock;
use std::time::Duration;

use http::uri::PathAndQuery;
use pool_call_policy::{Attempts, MethodConfig, RetryPolicy, RetryThrottling};

use crate::call_options::Extra;
use crate::{Builder, Pool};

/// An RPC, as the .proto and the attribute describe it. Generated code keeps one in a `static`.
#[derive(Debug, Clone)]
pub struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) shape: Shape,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Deadline,
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) extra: Extra,
    /// What the service config says that pool-build was given.
    pub(crate) config: MethodConfig,
    /// The path, once it has been parsed.
    parsed: OnceLock<PathAndQuery>,
}

/// Which of the two sides streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One request, one response.
    Unary,
    /// Many requests, one response.
    ClientStreaming,
    /// One request, many responses.
    ServerStreaming,
    /// Many requests, many responses.
    BidiStreaming,
}

/// The `idempotency_level` of the .proto, or `idempotent` on the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is promised: a call that may have been processed is never sent again.
    Unknown,
    /// Safe: changes nothing.
    NoSideEffects,
    /// Processing it twice is as good as processing it once.
    Idempotent,
}

impl Idempotency {
    /// The attempts of an RPC of which nothing else is said.
    pub(crate) const fn attempts(self) -> Option<Attempts> {
        match self {
            Self::Unknown => None,
            Self::NoSideEffects | Self::Idempotent => Some(Attempts::Retry(RetryPolicy::IDEMPOTENT)),
        }
    }
}

/// A deadline as one level of the configuration (client or RPC) states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// This level says nothing.
    Unset,
    /// This level asks for no deadline: the pool's default does not apply.
    None,
    /// At most this long, from the moment the method is called.
    After(Duration),
}

impl Deadline {
    /// The limit, where this is one.
    pub(crate) fn limit(self) -> Option<Duration> {
        match self {
            Self::After(after) => Some(after),
            Self::Unset | Self::None => None,
        }
    }
}

impl Method {
    /// Describes an RPC; `path` is `/package.Service/Method`.
    pub const fn new(service: &'static str, name: &'static str, path: &'static str, shape: Shape) -> Self {
        Self {
            service,
            name,
            path,
            shape,
            idempotency: Idempotency::Unknown,
            deadline: Deadline::Unset,
            wait_for_ready: None,
            extra: Extra::Unset,
            config: MethodConfig::NONE,
            parsed: OnceLock::new(),
        }
    }

    pub(crate) fn uri_path(&self) -> PathAndQuery {
        self.parsed.get_or_init(|| PathAndQuery::from_static(self.path)).clone()
    }

    /// States what a second processing of the same request does.
    pub const fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// Sets the RPC's own deadline.
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = deadline;
        self
    }

    /// Whether the call waits while the endpoint cannot be reached, instead of failing at once.
    pub const fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Allows extra attempts.
    pub const fn attempts(mut self, attempts: Attempts) -> Self {
        self.extra = Extra::Attempts(attempts);
        self
    }

    /// Allows none, whatever a service config or the .proto says.
    pub const fn no_attempts(mut self) -> Self {
        self.extra = Extra::Never;
        self
    }

    /// States what the service config says that pool-build was given.
    pub const fn config(mut self, config: MethodConfig) -> Self {
        self.config = config;
        self
    }
}

/// What the service config that pool-build was given says of the pool.
#[derive(Debug, Clone, Copy)]
pub struct PoolConfig {
    pub(crate) throttling: Option<RetryThrottling>,
    pub(crate) max_connections: Option<usize>,
}

impl PoolConfig {
    /// Says nothing.
    pub const NONE: Self = Self {
        throttling: None,
        max_connections: None,
    };

    /// States the retry budget.
    pub const fn retry_throttling(mut self, throttling: RetryThrottling) -> Self {
        self.throttling = Some(throttling);
        self
    }

    /// States the most connections.
    pub const fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = Some(most);
        self
    }
}

/// The constant of a client of which no service config says anything, and of one whose description was not found:
/// that is one error, and a constant that is missing would be another. A constant of the client's own comes first.
pub trait PoolDefaults {
    /// Says nothing.
    const __POOL: PoolConfig = PoolConfig::NONE;
}

impl<T> PoolDefaults for T {}

/// Where a client's constructors start.
pub fn pool_builder(target: impl Into<String>, said: PoolConfig) -> Builder {
    Pool::builder(target).compiled(said)
}
