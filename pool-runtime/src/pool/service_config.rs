//! The service config of a running pool, which may be replaced at any time.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use pool_call_policy::{MethodConfig, RetryThrottling, ServiceConfig};

use super::bounds::Bounds;
use super::config::Config;
use super::shared::Shared;

/// The config, if there is one. A pool without one pays for a look at a flag.
#[derive(Debug)]
pub(super) struct Current {
    /// Whether there is any. Says nothing of what is in it, which the lock keeps in order.
    is_set: AtomicBool,
    config: RwLock<ServiceConfig>,
}

impl Current {
    /// The one that the pool begins with.
    pub(super) fn new(config: &Config) -> Self {
        let config = config.service_config.as_ref();
        Self {
            is_set: AtomicBool::new(config.is_some()),
            config: RwLock::new(config.cloned().unwrap_or_default()),
        }
    }

    /// Replaces the config, and has `then` replace what else follows from it, so that of two at once one is the last in
    /// all of it.
    fn set(&self, config: ServiceConfig, then: impl FnOnce(&ServiceConfig)) {
        let mut current = self.config.write().unwrap_or_else(PoisonError::into_inner);
        *current = config;
        self.is_set.store(true, Relaxed);
        then(&current);
    }

    /// What it says of a method.
    fn method(&self, service: &str, method: &str) -> Option<MethodConfig> {
        if !self.is_set.load(Relaxed) {
            return None;
        }
        let current = self.config.read().unwrap_or_else(PoisonError::into_inner);
        current.method(service, method).copied()
    }
}

impl Shared {
    /// Replaces the config, and what follows from it.
    pub(crate) fn set_service_config(self: &Arc<Self>, config: ServiceConfig) {
        self.service_config.set(config, |config| {
            self.bounds().running = config.max_connections();
            let throttling = config.retry_throttling().unwrap_or(self.config.retry_throttling);
            self.ledger.set_throttling(throttling);
        });
        tracing::debug!(endpoint = %self.endpoint, "service config replaced");
        self.change_bounds(|_: &mut Bounds| ());
    }

    /// What the config says of a method.
    pub(crate) fn method_config(&self, service: &str, method: &str) -> Option<MethodConfig> {
        self.service_config.method(service, method)
    }

    /// What it says of the method that a request's path names.
    pub(crate) fn method_config_of(&self, path: &str) -> Option<MethodConfig> {
        let (service, method) = names(path)?;
        self.service_config.method(service, method)
    }
}

impl Config {
    /// The most connections by the service config that the pool begins with.
    pub(super) fn running_scaling(&self) -> Option<usize> {
        self.service_config.as_ref()?.max_connections()
    }

    /// Its retry budget.
    pub(super) fn running_throttling(&self) -> Option<RetryThrottling> {
        self.service_config.as_ref()?.retry_throttling()
    }
}

/// Service and method of a call, from the path of its request; a prefix, as `with_origin` may put there, is left out.
fn names(path: &str) -> Option<(&str, &str)> {
    let (before, method) = path.rsplit_once('/')?;
    let (_, service) = before.rsplit_once('/')?;
    Some((service, method))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_path_ends_in_service_and_method() {
        for (path, expected) in [
            ("/a.B/C", Some(("a.B", "C"))),
            ("/prefix/a.B/C", Some(("a.B", "C"))),
            ("/C", None),
            ("C", None),
            ("", None),
        ] {
            assert_eq!(names(path), expected, "{path}");
        }
    }
}
