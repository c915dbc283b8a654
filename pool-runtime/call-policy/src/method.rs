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
