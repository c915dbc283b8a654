//! What can be stated of a gRPC call, as plain values.
//!
//! The same things are said in three places: in the attribute of `#[pooled_client]`, in a service config that
//! pool-build checks, and in one that a pool reads when it runs. Here stands once what can be said and what is valid
//! (gRFC A6); nothing here acts.
//!
//! With the feature `json`, [`ServiceConfig`] reads gRPC's service config.

mod attempts;
mod codes;
pub mod duration;
mod invalid;
mod method;
mod names;
#[cfg(feature = "json")]
mod service_config;

pub use attempts::{Attempts, HedgingPolicy, MAX_ATTEMPTS, RetryPolicy, RetryThrottling};
pub use codes::Codes;
pub use invalid::InvalidPolicy;
pub use method::MethodConfig;
pub use names::{likely_typo, nearest};
#[cfg(feature = "json")]
pub use service_config::{ConfigError, Mistake, Name, ServiceConfig};
