use std::time::Duration;

use crate::Attempts;

/// What a service config says of a method; what it does not say is left to the next level.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct MethodConfig {
    /// The longest that a call may take, from the moment it is made.
    pub timeout: Option<Duration>,
    /// Whether a call waits while the endpoint cannot be reached.
    pub wait_for_ready: Option<bool>,
    /// Extra attempts.
    pub attempts: Option<Attempts>,
    /// The largest request message, in bytes, encoded and before compression.
    pub max_request_message_bytes: Option<usize>,
    /// The largest response message, in bytes, encoded and after decompression.
    pub max_response_message_bytes: Option<usize>,
}

impl MethodConfig {
    /// Says nothing.
    pub const NONE: Self = Self {
        timeout: None,
        wait_for_ready: None,
        attempts: None,
        max_request_message_bytes: None,
        max_response_message_bytes: None,
    };

    /// Sets the longest that a call may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets whether a call waits while the endpoint cannot be reached.
    #[must_use]
    pub const fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Allows extra attempts.
    #[must_use]
    pub const fn attempts(mut self, attempts: Attempts) -> Self {
        self.attempts = Some(attempts);
        self
    }

    /// Sets the largest request message.
    #[must_use]
    pub const fn max_request_message_bytes(mut self, bytes: usize) -> Self {
        self.max_request_message_bytes = Some(bytes);
        self
    }

    /// Sets the largest response message.
    #[must_use]
    pub const fn max_response_message_bytes(mut self, bytes: usize) -> Self {
        self.max_response_message_bytes = Some(bytes);
        self
    }
}
