//! In place of service configs where the feature `service-config` is off: there is none, and looking costs nothing.

use pool_call_policy::{MethodConfig, RetryThrottling};

use super::config::Config;
use super::shared::Shared;

#[derive(Debug)]
pub(super) struct Current;

impl Current {
    pub(super) fn new(_: &Config) -> Self {
        Self
    }

    fn method(&self) -> Option<MethodConfig> {
        None
    }
}

impl Shared {
    pub(crate) fn method_config(&self, _: &str, _: &str) -> Option<MethodConfig> {
        self.service_config.method()
    }

    pub(crate) fn method_config_of(&self, _: &str) -> Option<MethodConfig> {
        self.service_config.method()
    }
}

impl Config {
    pub(super) fn running_scaling(&self) -> Option<usize> {
        None
    }

    pub(super) fn running_throttling(&self) -> Option<RetryThrottling> {
        None
    }
}
