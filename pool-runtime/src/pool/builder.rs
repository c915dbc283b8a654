//! How a pool is set up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pool_call_policy::RetryThrottling;
#[cfg(feature = "service-config")]
use pool_call_policy::ServiceConfig;

use tokio::runtime::Handle;

use super::Pool;
use super::backoff::Backoff;
use super::config::Config;
use super::core::MaxResets;
use super::event::Observer;
use super::observers::Observers;
use super::picker::Strategy;
use super::policy::Overflow;
use super::shared::Shared;
use crate::conn::connector::Connector;
use crate::conn::dial::{DialOptions, Dialer};
#[cfg(feature = "_tls")]
use crate::conn::tls::TlsConfig;
use crate::method::PoolConfig;
use crate::{Error, InvalidTarget, Target};

/// Sets up a [`Pool`]; every setting has a default that a small service can live with.
///
/// Settings are checked together when the pool is built; the error names the first that cannot be used.
///
/// ```
/// use std::time::Duration;
/// use pool_runtime::Pool;
///
/// let pool = Pool::builder("http://127.0.0.1:50051")
///     .max_connections(4)
///     .max_concurrent_streams(50)
///     .idle_timeout(Duration::from_secs(60))
///     .build()?;
/// # Ok::<(), pool_runtime::Error>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    target: String,
    config: Config,
    dial: DialOptions,
    observers: Observers,
    #[cfg(feature = "service-config")]
    service_config: Option<String>,
}

impl Builder {
    /// Starts from what a service config says of the pool that was known when the client was compiled.
    pub(crate) fn compiled(mut self, said: PoolConfig) -> Self {
        self.config.retry_throttling = said.throttling.unwrap_or(self.config.retry_throttling);
        self.config.scaling = said.max_connections;
        self
    }

    pub(crate) fn new(target: String) -> Self {
        Self {
            target,
            config: Config::default(),
            dial: DialOptions::default(),
            observers: Observers::default(),
            #[cfg(feature = "service-config")]
            service_config: None,
        }
    }

    /// Connections to keep open, whether there are calls or not. Default 0: a pool that nobody uses costs nothing.
    ///
    /// They are opened with the first call, by [`Builder::connect`] or by [`Pool::ready`], and then kept. At most 65,535.
    pub fn min_connections(mut self, n: usize) -> Self {
        self.config.policy.min_connections = n;
        self
    }

    /// The most connections that take calls at once. Default 10; more than 65,535 count as that many.
    ///
    /// A checkout looks at every connection: that costs about 10 ns each (75 ns at 10, 1 µs at 100), so keep to hundreds.
    /// One connection serves some 80,000 small calls a second.
    ///
    /// Connections that are draining are not counted, and one that has reached its lifetime overlaps with its
    /// replacement for as long as that takes to come up.
    pub fn max_connections(mut self, n: usize) -> Self {
        self.config.policy.max_connections = n;
        self
    }

    /// The usage limit: the most calls in flight on one connection. Default 100, what servers commonly allow.
    ///
    /// What the peer allows at the moment (SETTINGS_MAX_CONCURRENT_STREAMS) binds too; the smaller counts. With 1,
    /// each call has its connection to itself (exclusive checkout). More than 131,071 count as that many.
    pub fn max_concurrent_streams(mut self, n: u32) -> Self {
        self.config.policy.max_concurrent_streams = n;
        self
    }

    /// The lifetime usage limit: a connection is replaced after so many calls. Default none.
    pub fn max_total_uses(mut self, n: impl Into<Option<u64>>) -> Self {
        self.config.policy.max_total_uses = n.into();
        self
    }

    /// The most streams that may be reset on a connection in so much time before it is replaced: calls that are cancelled, run
    /// into their deadline, or lose to another attempt. Default 100 in 30 s.
    ///
    /// Servers count resets since CVE-2023-44487, and end a connection, with the calls of everybody on it, that has too many:
    /// Netty, and so grpc-java, after 200 in 30 s. In any such time there are at most twice as many as are set here, and
    /// those of the calls that are in flight when the connection is replaced. For servers of your own that tolerate more,
    /// raise it.
    pub fn max_resets(mut self, count: u32, per: Duration) -> Self {
        self.config.policy.max_resets = MaxResets { count, per };
        self
    }

    /// What happens when all connections are full and no more may be opened. Default [`Overflow::Strict`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.config.policy.overflow = overflow;
        self
    }

    /// The most callers that may wait for a free stream; further ones fail at once. Default 1024: a bound on what an
    /// outage can pile up. With 0, nobody waits, and a pool that has no connection yet cannot be called.
    pub fn max_waiters(mut self, n: usize) -> Self {
        self.config.policy.max_waiters = n;
        self
    }

    /// How long a call waits for a free stream, its deadline permitting. Default 30 s.
    pub fn acquire_timeout(mut self, timeout: Duration) -> Self {
        self.config.acquire_timeout = timeout;
        self
    }

    /// How long opening a connection may take: name resolution, TCP, TLS and the peer's SETTINGS together. Default
    /// 20 s, the least that gRPC's connection backoff document gives an attempt.
    ///
    /// The time covers all addresses of a name: the next one is tried when an attempt fails, and beside it when it
    /// has not succeeded after 250 ms (gRFC A61). Addresses that failed within the last minute are tried last.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.policy.connect_timeout = timeout;
        self
    }

    /// A connection without calls for this long is closed, down to the minimum. It is looked at each eighth of that time,
    /// and may live that much longer: a call looks at no clock when it ends. Default 5 minutes, below what common
    /// proxies and firewalls allow; `None` keeps idle connections.
    pub fn idle_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.policy.idle_timeout = timeout.into();
        self
    }

    /// A connection of this age is replaced, busy or not: a new one is opened first, then calls in flight on the old
    /// one finish. Default 30 minutes; `None` keeps connections.
    ///
    /// As the name is resolved anew for every connection, this is how a pool follows a service that moves or scales.
    pub fn max_lifetime(mut self, lifetime: impl Into<Option<Duration>>) -> Self {
        self.config.max_lifetime = lifetime.into();
        self
    }

    /// The part of the lifetime by which each connection's own is shortened at random at most. Default 0.1.
    pub fn max_lifetime_jitter(mut self, part: f64) -> Self {
        self.config.lifetime_jitter = part;
        self
    }

    /// How long calls in flight may take to finish when the pool is closed, or their connection was marked as broken,
    /// before they are cut. Default 30 s.
    ///
    /// Calls on a connection that is merely recycled, for its age or because of a GOAWAY, are never cut.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.policy.drain_timeout = timeout;
        self
    }

    /// Pings a peer that has sent nothing for this long, while calls are in flight. A call that begins after such a
    /// silence pings at once, before its request is sent (gRFC A8): a dead connection fails it after
    /// [`keep_alive_timeout`](Self::keep_alive_timeout). Default off (gRFC A8).
    ///
    /// gRFC A8 asks for at least 10 s towards servers of others. Many allow one ping in 5 minutes, and answer a
    /// shorter interval with GOAWAY too_many_pings: each time the pool doubles the interval of its next connections.
    /// A server of your own may allow less than 10 s: grpc-go has an `EnforcementPolicy` for it, tonic has no limit.
    /// Timers have a resolution of a millisecond.
    pub fn keep_alive_interval(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.config.keep_alive_interval = interval.into();
        self
    }

    /// How long the peer may take to answer a ping before the connection counts as dead. Default 20 s.
    ///
    /// With keepalive on, it is the socket's TCP_USER_TIMEOUT too, where there is one (gRFC A18).
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.config.keep_alive_timeout = timeout;
        self
    }

    /// Pings also when no call is in flight. Default false: many servers take that for abuse.
    pub fn keep_alive_while_idle(mut self, yes: bool) -> Self {
        self.config.keep_alive_while_idle = yes;
        self
    }

    /// The wait between failed attempts to connect. Default: that of gRPC's connection backoff document.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.config.policy.backoff = backoff;
        self
    }

    /// The deadline of unary calls of annotated clients that state none. Default 30 s: a call without a deadline can
    /// hang for ever. Streams have none unless one is stated.
    ///
    /// A plain tonic client over the pool does not say which of its calls are unary: for those there is no default.
    #[doc(alias = "timeout")]
    pub fn deadline(mut self, deadline: impl Into<Option<Duration>>) -> Self {
        self.config.deadline = deadline.into();
        self
    }

    /// tonic's name for the deadline: an error that names the settings here.
    #[doc(hidden)]
    pub fn timeout(self, _: impl crate::hints::UseDeadline) -> Self {
        self
    }

    /// The retry budget of the pool (gRFC A6): it starts full at `max_tokens` (1 to 1,000). Of the calls that may be
    /// tried more than once, each attempt that fails with a code that is worth another, or with the server's word
    /// against another, takes a token; each call that succeeds gives `token_ratio` (at least 0.001) back. There are
    /// retries and hedges only while more than half of the tokens are left.
    ///
    /// Default 1,000 and 0.1. A pool that loses a full connection sees a hundred calls fail at once, which is no
    /// reason yet to stop; an endpoint that is down gets no retries after 500 failures, and one that fails more than
    /// about a tenth of its calls gets few.
    pub fn retry_throttling(mut self, max_tokens: u32, token_ratio: f64) -> Self {
        self.config.retry_throttling = RetryThrottling::unchecked(max_tokens, token_ratio);
        self
    }

    /// Which connection the next call goes to. Default [`Strategy::LeastLoaded`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.policy.strategy = strategy;
        self
    }

    /// HTTP/2 flow control: how much of a response may be on its way on one stream. Default 2 MiB; raise it to
    /// bandwidth times round trip for single large streams over a long fat network.
    ///
    /// A peer that sends large messages may fill the window at once, and the responses of small calls on the same
    /// connection wait behind that: 1.5 ms at 2 MiB, 0.33 ms at 256 KiB, measured on loopback. Where small calls must
    /// not wait, lower the window, or make the large calls through a pool of their own.
    pub fn initial_stream_window_size(mut self, bytes: u32) -> Self {
        self.config.http2.initial_stream_window = bytes;
        self
    }

    /// The same for all streams of a connection together. Default 5 MiB.
    pub fn initial_connection_window_size(mut self, bytes: u32) -> Self {
        self.config.http2.initial_connection_window = bytes;
        self
    }

    /// The largest HTTP/2 frame that the peer may send. Default 1 MiB.
    pub fn max_frame_size(mut self, bytes: u32) -> Self {
        self.config.http2.max_frame_size = bytes;
        self
    }

    /// The size of the largest header list that is accepted in a response: its headers, or its trailers. Each field counts
    /// its name, its value and 32 bytes (RFC 9113, 6.5.2). Default 64 KiB, eight times what gRPC's C core accepts; at least
    /// 256 bytes and at most 16 MiB.
    ///
    /// A call whose response goes over it fails with RESOURCE_EXHAUSTED, and the other calls of the connection go on. A
    /// list of more than four times the limit, or 1 MiB if that is more, cannot be read as a whole; from four times
    /// that size on it ends the connection (UNAVAILABLE). A list of more than 12,000 names is RESOURCE_EXHAUSTED, too.
    pub fn max_header_list_size(mut self, bytes: u32) -> Self {
        self.config.http2.max_header_list_size = bytes;
        self
    }

    /// What stands in front of this crate's own name in the `user-agent` header.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.config.user_agent = Some(agent.into());
        self
    }

    /// The Tokio runtime that drives the pool's connections. Default: the one that is current when a call needs a connection.
    ///
    /// A connection ends with the runtime that drives it, and with it the calls that others have in flight on it. So a pool
    /// that several runtimes use needs one of its own that outlives them: a pool in a `static` that parallel tests share,
    /// for one. The runtime must be multi-threaded, or be run by somebody, and have time and I/O enabled. Calls are still
    /// made on the callers' own runtimes.
    ///
    /// When the runtime is shut down, calls that need a new connection fail with UNAVAILABLE.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.config.runtime = Some(runtime);
        self
    }

    /// Opens transports in the user's own way. TLS goes on top of it for `https` targets.
    pub fn connector(mut self, connector: impl Connector) -> Self {
        self.dial.connector = Some(Arc::new(connector));
        self
    }

    /// TLS settings for an `https` target. Default: the roots that the enabled features bring.
    #[cfg(feature = "_tls")]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.dial.tls = Some(tls);
        self
    }

    /// Without a feature for TLS: an error that names the features.
    #[cfg(not(feature = "_tls"))]
    #[doc(hidden)]
    pub fn tls(self, _: impl crate::hints::NeedsTlsFeature) -> Self {
        self
    }

    /// Adds an observer of the pool's events.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// What the owners of the service want its clients to do, as gRPC's service config in JSON: deadlines, wait for
    /// ready, retries, hedging and sizes of messages by method (`methodConfig`), the retry budget (`retryThrottling`),
    /// and the most connections (gRFC A105's `connectionScaling`). Default none.
    ///
    /// It holds for annotated clients and for plain tonic clients over the pool; [the crate](crate#precedence) says
    /// how it stands to what else is stated. Its `retryThrottling` takes the place of
    /// [`retry_throttling`](Self::retry_throttling). Of its `maxConnectionsPerSubchannel` and
    /// [`max_connections`](Self::max_connections) the smaller holds: the service may ask for fewer connections, and
    /// the pool sets the limit; a minimum above it comes down with it. Without it the pool's own maximum holds, not the one connection that A105 assumes:
    /// who sets up a pool wants more than one.
    ///
    /// For plain tonic clients the limits of sizes are taken on the wire: a compressed message counts as it is sent.
    ///
    /// An invalid one is an error of [`Builder::build`], which lists all mistakes with their places. Many published
    /// configs are invalid to gRPC: a quarter of Google's lack fields that gRFC A6 requires of a `retryPolicy`, most often
    /// `maxAttempts`. Add those to a copy. [`Pool::set_service_config`] replaces it.
    #[cfg(feature = "service-config")]
    pub fn service_config(mut self, json: impl Into<String>) -> Self {
        self.service_config = Some(json.into());
        self
    }

    /// Without the feature: an error that names it.
    #[cfg(not(feature = "service-config"))]
    #[doc(hidden)]
    pub fn service_config(self, _: impl crate::hints::NeedsServiceConfigFeature) -> Self {
        self
    }

    /// Makes the pool. Does no I/O and needs no runtime, so that a pool can live in a `static LazyLock`.
    ///
    /// # Errors
    ///
    /// A target or a setting that cannot be used ([`Error::is_config`]).
    pub fn build(mut self) -> Result<Pool, Error> {
        // The error's own text shows the target, without credentials that may stand in it.
        let target: Target = self
            .target
            .parse()
            .map_err(|problem: InvalidTarget| Error::config("target", problem.to_string(), &"".into()))?;
        let endpoint: Arc<str> = target.to_string().into();
        self.config.check(&endpoint)?;
        self.config = self.config.bounded();
        self.dial.tcp.user_timeout = self.config.keep_alive().map(|keep_alive| keep_alive.timeout);
        let dialer = Dialer::new(target, self.dial)
            .map_err(|invalid| Error::config(invalid.field, invalid.problem, &endpoint).because(invalid.source))?;
        #[cfg(feature = "service-config")]
        if let Some(json) = &self.service_config {
            self.config.service_config = Some(read_service_config(json, &endpoint)?);
        }
        let shared = Shared::new(self.config, dialer, self.observers, endpoint);
        Ok(Pool::over(shared))
    }

    /// Makes the pool and waits for its first connections: the minimum, at least one.
    ///
    /// # Errors
    ///
    /// What [`Builder::build`] finds, and a failure to connect when no other attempt is under way that could still
    /// succeed. Nothing is left open then.
    pub async fn connect(self) -> Result<Pool, Error> {
        let pool = self.build()?;
        let first = pool.shared().core().policy().min_connections.max(1);
        pool.ready(first).await?;
        Ok(pool)
    }
}

/// A service config, or an error that says which place is wrong.
#[cfg(feature = "service-config")]
pub(super) fn read_service_config(json: &str, endpoint: &Arc<str>) -> Result<ServiceConfig, Error> {
    ServiceConfig::from_json(json).map_err(|error| Error::config("service_config", error.to_string(), endpoint))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
