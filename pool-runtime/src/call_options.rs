//! What a caller says of one call.

use pool_call_policy::{Attempts, HedgingPolicy, RetryPolicy};

/// What holds for one call alone, over all that is stated elsewhere. It travels in the request's extensions, so it works
/// for annotated clients and for plain tonic clients over a [`Pool`](crate::Pool) or a [`Lease`](crate::Lease):
///
/// ```
/// use pool_runtime::CallOptions;
///
/// let mut request = tonic::Request::new(());
/// request.extensions_mut().insert(CallOptions::new().wait_for_ready(true).no_retry());
/// ```
///
/// An interceptor can put it there too. A call's own deadline is `Request::set_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[must_use = "options do nothing until they are in the extensions of a request"]
pub struct CallOptions {
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) extra: Extra,
}

/// The attempts beyond the first that one level of the configuration allows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) enum Extra {
    /// It says nothing.
    #[default]
    Unset,
    /// None, whatever the levels below allow.
    Never,
    /// These.
    Attempts(Attempts),
}

impl CallOptions {
    /// Options that leave everything to what is stated elsewhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the call waits, up to its deadline, while the endpoint cannot be reached, instead of failing at once.
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Repeats the call by this policy, in place of any other. The request may be processed more than once.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.extra = Extra::Attempts(Attempts::Retry(policy));
        self
    }

    /// Sends the call several times side by side by this policy, in place of any other. The request may be processed
    /// more than once. Of no effect over a [`Lease`](crate::Lease), and where the request streams.
    pub fn hedge(mut self, policy: HedgingPolicy) -> Self {
        self.extra = Extra::Attempts(Attempts::Hedge(policy));
        self
    }

    /// Neither repeats nor hedges the call. Not even this keeps it from being sent again as long as the peer cannot
    /// have processed it.
    pub fn no_retry(mut self) -> Self {
        self.extra = Extra::Never;
        self
    }
}
