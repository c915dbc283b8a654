//! What is known of an RPC when the client is compiled.

use std::sync::OnceLock;
use std::time::Duration;

use http::uri::PathAndQuery;
use pool_call_policy::{Attempts, RetryPolicy};

/// An RPC, as the .proto and the attribute describe it. Generated code keeps one in a `static`.
#[derive(Debug, Clone)]
pub struct Method {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) shape: Shape,
    pub(crate) idempotency: Idempotency,
    pub(crate) deadline: Deadline,
    pub(crate) wait_for_ready: bool,
    /// Extra attempts that the attribute states.
    pub(crate) attempts: Option<Attempts>,
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
            wait_for_ready: false,
            attempts: None,
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
        self.wait_for_ready = wait;
        self
    }

    /// Allows extra attempts.
    pub const fn attempts(mut self, attempts: Attempts) -> Self {
        self.attempts = Some(attempts);
        self
    }
}
