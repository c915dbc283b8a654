//! The settings of a pool, their defaults, and what makes them unusable.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use pool_call_policy::RetryThrottling;
#[cfg(feature = "service-config")]
use pool_call_policy::ServiceConfig;
use tokio::runtime::Handle;

use super::backoff::Backoff;
use super::bounds::Bounds;
use super::core::MaxResets;
use super::picker::Strategy;
use super::policy::{Overflow, Policy};
use crate::Error;
use crate::conn::handshake::{Http2Settings, MAX_HEADER_LIST, MIN_HEADER_LIST};
use crate::conn::keepalive::KeepAliveConfig;

/// Longer is as good as never, and clocks can add it without overflow: about 30 years.
pub(crate) const LONGEST: Duration = Duration::from_secs(1_000_000_000);

/// The most connections that a pool counts: there are no more ports to dial one address from.
pub(crate) const MOST_CONNECTIONS: usize = 65_535;

/// HTTP/2 windows are at most this wide (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// RFC 9113, 6.5.2.
const FRAME_SIZES: std::ops::RangeInclusive<u32> = (1 << 14)..=((1 << 24) - 1);

const HEADER_LISTS: std::ops::RangeInclusive<u32> = MIN_HEADER_LIST..=MAX_HEADER_LIST;

/// Everything that is set on a [`Builder`](crate::Builder), transport aside.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) policy: Policy,
    /// The most connections by the service config that pool-build was given.
    pub(crate) scaling: Option<usize>,
    /// The service config that the pool begins with.
    #[cfg(feature = "service-config")]
    pub(crate) service_config: Option<ServiceConfig>,
    pub(crate) acquire_timeout: Duration,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) lifetime_jitter: f64,
    pub(crate) keep_alive_interval: Option<Duration>,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) keep_alive_while_idle: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) retry_throttling: RetryThrottling,
    pub(crate) http2: Http2Settings,
    pub(crate) user_agent: Option<String>,
    /// Drives the connections, in place of the callers' runtimes.
    pub(crate) runtime: Option<Handle>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy {
                min_connections: 0,
                max_connections: 10,
                max_concurrent_streams: 100,
                max_total_uses: None,
                overflow: Overflow::Strict,
                max_waiters: 1024,
                max_resets: MaxResets {
                    count: 100,
                    per: Duration::from_secs(30),
                },
                idle_timeout: Some(Duration::from_secs(5 * 60)),
                drain_timeout: Duration::from_secs(30),
                connect_timeout: Duration::from_secs(20),
                backoff: Backoff::default(),
                strategy: Strategy::LeastLoaded,
            },
            scaling: None,
            #[cfg(feature = "service-config")]
            service_config: None,
            acquire_timeout: Duration::from_secs(30),
            max_lifetime: Some(Duration::from_secs(30 * 60)),
            lifetime_jitter: 0.1,
            keep_alive_interval: None,
            keep_alive_timeout: Duration::from_secs(20),
            keep_alive_while_idle: false,
            deadline: Some(Duration::from_secs(30)),
            retry_throttling: RetryThrottling::unchecked(1_000, 0.1),
            http2: Http2Settings::default(),
            user_agent: None,
            runtime: None,
        }
    }
}

impl Config {
    /// The first setting that cannot be used, named.
    pub(crate) fn check(&self, endpoint: &Arc<str>) -> Result<(), Error> {
        let policy = &self.policy;
        let zero = |duration: Option<Duration>| duration.is_some_and(|d| d.is_zero());
        let window = |size: u32| size == 0 || size > MAX_WINDOW;
        let rows: [(&'static str, bool, &str); 15] = [
            (
                "max_concurrent_streams",
                policy.max_concurrent_streams == 0,
                "is 0: no call could ever be made",
            ),
            (
                "max_total_uses",
                policy.max_total_uses == Some(0),
                "is 0: no call could ever be made",
            ),
            (
                "max_resets",
                policy.max_resets.count == 0 || policy.max_resets.per.is_zero(),
                "is 0: every connection would be replaced with its first reset",
            ),
            (
                "acquire_timeout",
                self.acquire_timeout.is_zero(),
                "is 0: use Pool::try_acquire to not wait at all",
            ),
            (
                "connect_timeout",
                policy.connect_timeout.is_zero(),
                "is 0: no connection could ever be opened",
            ),
            (
                "idle_timeout",
                zero(policy.idle_timeout),
                "is 0: no connection would ever be used again",
            ),
            (
                "max_lifetime",
                zero(self.max_lifetime),
                "is 0: no connection would ever be used again",
            ),
            (
                "max_lifetime_jitter",
                !(0.0..1.0).contains(&self.lifetime_jitter),
                "is not a part of the lifetime, from 0 to below 1",
            ),
            (
                "keep_alive_interval",
                zero(self.keep_alive_interval),
                "is 0: use None for no pings",
            ),
            (
                "keep_alive_timeout",
                self.keep_alive_timeout.is_zero(),
                "is 0: no answer could be in time",
            ),
            ("deadline", zero(self.deadline), "is 0: every call would fail"),
            (
                "initial_stream_window_size",
                window(self.http2.initial_stream_window),
                "is not in 1..=2^31-1",
            ),
            (
                "initial_connection_window_size",
                window(self.http2.initial_connection_window),
                "is not in 1..=2^31-1",
            ),
            (
                "max_frame_size",
                !FRAME_SIZES.contains(&self.http2.max_frame_size),
                "is not in 2^14..=2^24-1",
            ),
            (
                "max_header_list_size",
                !HEADER_LISTS.contains(&self.http2.max_header_list_size),
                "is not in 256..=2^24: a gRPC status alone has more than 200 bytes",
            ),
        ];
        for (field, wrong, problem) in rows {
            if wrong {
                return Err(Error::config(field, problem, endpoint));
            }
        }
        if let Some(problem) = policy.backoff.problem() {
            return Err(Error::config("backoff", problem, endpoint));
        }
        let throttling = self.retry_throttling;
        if let Err(invalid) = RetryThrottling::new(throttling.max_tokens, throttling.token_ratio) {
            return Err(Error::config("retry_throttling", invalid.to_string(), endpoint));
        }
        if let Some(agent) = &self.user_agent
            && HeaderValue::from_str(agent).is_err()
        {
            return Err(Error::config(
                "user_agent",
                "cannot be an HTTP header's value",
                endpoint,
            ));
        }
        check_bounds(policy.min_connections, policy.max_connections, endpoint)
    }

    /// The same settings with no duration in them that overflows a clock, and no number that overflows memory:
    /// `Duration::MAX` means "never", and `usize::MAX` "no limit".
    pub(crate) fn bounded(mut self) -> Self {
        let policy = &mut self.policy;
        let always = [
            &mut self.acquire_timeout,
            &mut policy.connect_timeout,
            &mut self.keep_alive_timeout,
            &mut policy.drain_timeout,
            &mut policy.max_resets.per,
            &mut policy.backoff.base,
            &mut policy.backoff.max,
        ];
        let optional = [
            &mut self.max_lifetime,
            &mut self.keep_alive_interval,
            &mut policy.idle_timeout,
        ];
        policy.max_connections = policy.max_connections.min(MOST_CONNECTIONS);
        for duration in always.into_iter().chain(optional.into_iter().flatten()) {
            *duration = LONGEST.min(*duration);
        }
        self
    }

    /// How many connections there may be.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            min: self.policy.min_connections,
            max: self.policy.max_connections,
            compiled: self.scaling,
            running: self.running_scaling(),
        }
    }

    /// The retry budget: what the service config says of it, else what is set on the pool.
    pub(crate) fn throttling(&self) -> RetryThrottling {
        self.running_throttling().unwrap_or(self.retry_throttling)
    }

    /// What the `user-agent` header says; gRPC's documents ask for `grpc-language-variant/version`.
    pub(crate) fn user_agent(&self) -> HeaderValue {
        const OURS: &str = concat!("grpc-rust-pool/", env!("CARGO_PKG_VERSION"));
        let ours = HeaderValue::from_static(OURS);
        match &self.user_agent {
            Some(theirs) => HeaderValue::try_from(format!("{theirs} {OURS}")).unwrap_or(ours),
            None => ours,
        }
    }

    pub(crate) fn keep_alive(&self) -> Option<KeepAliveConfig> {
        self.keep_alive_interval.map(|interval| KeepAliveConfig {
            interval,
            timeout: self.keep_alive_timeout,
            while_idle: self.keep_alive_while_idle,
        })
    }

    /// How long a connection lives: the maximum less a random part, so that connections that were opened together
    /// do not end together. `random` is uniform in 0..1.
    pub(crate) fn lifetime(&self, random: f64) -> Option<Duration> {
        self.max_lifetime
            .map(|max| max.mul_f64(1.0 - self.lifetime_jitter * random))
    }
}

/// Checks a minimum and a maximum that belong together; also what [`Pool::resize`](crate::Pool::resize) is given.
pub(crate) fn check_bounds(min: usize, max: usize, endpoint: &Arc<str>) -> Result<(), Error> {
    if max == 0 {
        return Err(Error::config(
            "max_connections",
            "is 0: no call could ever be made",
            endpoint,
        ));
    }
    if min > MOST_CONNECTIONS {
        let problem = format!("is {min}, more than the {MOST_CONNECTIONS} connections that a pool can have");
        return Err(Error::config("min_connections", problem, endpoint));
    }
    if min > max {
        let problem = format!("is {min}, more than max_connections, which is {max}");
        return Err(Error::config("min_connections", problem, endpoint));
    }
    Ok(())
}
