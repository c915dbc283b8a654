//! Which of several statements holds for a call. Documented for users at [the crate](crate#precedence).
//!
//! The nearest level that says something holds: the call, the RPC and then the client on the attribute (the macro has
//! made one of those two), the service config of the running pool, the one that pool-build was given, the .proto. What
//! limits a call, its time and the sizes of its messages, is never made looser by a nearer level: there the smallest
//! holds (R27).

use std::time::Duration;

use pool_call_policy::MethodConfig;

use crate::call::Options;
use crate::call_options::{CallOptions, Extra};
use crate::method::{Deadline, Method, Shape};

/// All that is stated of a call, apart from its own timeout, which is in its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stated<'a> {
    pub(crate) call: Option<&'a CallOptions>,
    /// What the client states, in the attribute or by `with_deadline`.
    pub(crate) client: Deadline,
    /// Absent for calls of plain tonic clients.
    pub(crate) method: Option<&'a Method>,
    /// What the running pool's service config says.
    pub(crate) running: Option<&'a MethodConfig>,
    /// The pool's own deadline.
    pub(crate) default: Option<Duration>,
}

/// The most bytes of a message in either direction, where something is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sizes {
    pub(crate) request: Option<usize>,
    pub(crate) response: Option<usize>,
}

impl Stated<'_> {
    /// What holds.
    pub(crate) fn options(&self) -> Options {
        Options {
            deadline: self.deadline(),
            default_deadline: self.default_deadline(),
            wait_for_ready: self.wait_for_ready(),
            attempts: match self.extra() {
                Extra::Attempts(attempts) => Some(attempts),
                Extra::Unset | Extra::Never => None,
            },
        }
    }

    /// The smaller limits of both service configs.
    pub(crate) fn sizes(&self) -> Sizes {
        let compiled = self.compiled();
        Sizes {
            request: smaller(
                self.running.and_then(|config| config.max_request_message_bytes),
                compiled.max_request_message_bytes,
            ),
            response: smaller(
                self.running.and_then(|config| config.max_response_message_bytes),
                compiled.max_response_message_bytes,
            ),
        }
    }

    fn compiled(&self) -> &MethodConfig {
        self.method.map_or(&MethodConfig::NONE, |method| &method.config)
    }

    fn deadlines(&self) -> [Deadline; 2] {
        [
            self.client,
            self.method.map_or(Deadline::Unset, |method| method.deadline),
        ]
    }

    fn deadline(&self) -> Option<Duration> {
        let [client, method] = self.deadlines().map(Deadline::limit);
        let configs = smaller(self.running.and_then(|config| config.timeout), self.compiled().timeout);
        smaller(smaller(client, method), configs)
    }

    fn default_deadline(&self) -> Option<Duration> {
        let shape = self.method.map(|method| method.shape);
        let declined = self.deadlines().contains(&Deadline::None);
        self.default.filter(|_| shape == Some(Shape::Unary) && !declined)
    }

    fn wait_for_ready(&self) -> bool {
        self.call
            .and_then(|call| call.wait_for_ready)
            .or_else(|| self.method?.wait_for_ready)
            .or_else(|| self.running?.wait_for_ready)
            .or_else(|| self.compiled().wait_for_ready)
            .unwrap_or(false)
    }

    fn extra(&self) -> Extra {
        self.call
            .map_or(Extra::Unset, |call| call.extra)
            .or_else(|| self.method.map_or(Extra::Unset, |method| method.extra))
            .or_else(|| self.running.and_then(|config| config.attempts).into())
            .or_else(|| self.compiled().attempts.into())
            .or_else(|| self.method.and_then(|method| method.idempotency.attempts()).into())
    }
}

impl Extra {
    /// This, if it says something, else what the next level says.
    fn or_else(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Unset => next(),
            stated => stated,
        }
    }
}

impl From<Option<pool_call_policy::Attempts>> for Extra {
    fn from(attempts: Option<pool_call_policy::Attempts>) -> Self {
        attempts.map_or(Self::Unset, Self::Attempts)
    }
}

/// The smaller of two limits, of which there may be one or none.
pub(crate) fn smaller<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use pool_call_policy::{Attempts, Codes, HedgingPolicy, RetryPolicy};

    use super::*;
    use crate::method::Idempotency;

    const S: fn(u64) -> Duration = Duration::from_secs;

    /// A method of which the attribute and pool-build's service config say nothing.
    static METHOD: Method = Method::new("a.B", "C", "/a.B/C", Shape::Unary);

    /// A policy that is told from others by its number.
    const fn policy(codes: Codes) -> Attempts {
        Attempts::Retry(RetryPolicy::unchecked(2, Duration::ZERO, Duration::ZERO, 1.0, codes))
    }

    fn options(call: Option<CallOptions>, method: &Method, running: Option<MethodConfig>) -> Options {
        let stated = Stated {
            call: call.as_ref(),
            client: Deadline::Unset,
            method: Some(method),
            running: running.as_ref(),
            default: Some(S(30)),
        };
        stated.options()
    }

    /// Each row takes the nearest statement of the one before away.
    #[test]
    fn the_nearest_level_that_says_something_holds() {
        let (attribute, running, compiled) = (Codes::ABORTED, Codes::INTERNAL, Codes::UNKNOWN);
        let hedging = HedgingPolicy::unchecked(2, S(1), Codes::NONE);
        let call = CallOptions::new().wait_for_ready(false).hedge(hedging);
        let config = |codes| MethodConfig::NONE.attempts(policy(codes));
        let idempotent = METHOD.clone().idempotency(Idempotency::Idempotent);
        let with_config = idempotent.clone().config(config(compiled).wait_for_ready(true));
        let with_attribute = with_config.clone().wait_for_ready(true).attempts(policy(attribute));
        let running = config(running).wait_for_ready(false);
        let nothing = Some(MethodConfig::NONE);
        let rows = [
            (
                Some(call),
                &with_attribute,
                Some(running),
                false,
                Some(Attempts::Hedge(hedging)),
            ),
            (
                Some(CallOptions::new()),
                &with_attribute,
                Some(running),
                true,
                Some(policy(attribute)),
            ),
            (None, &with_attribute, Some(running), true, Some(policy(attribute))),
            (None, &with_config, Some(running), false, Some(policy(Codes::INTERNAL))),
            (None, &with_config, nothing, true, Some(policy(compiled))),
            (None, &with_config, None, true, Some(policy(compiled))),
            (
                None,
                &idempotent,
                nothing,
                false,
                Some(Attempts::Retry(RetryPolicy::IDEMPOTENT)),
            ),
            (None, &METHOD, None, false, None),
        ];
        for (row, (call, method, running, wait, attempts)) in rows.into_iter().enumerate() {
            let held = options(call, method, running);
            assert_eq!((held.wait_for_ready, held.attempts), (wait, attempts), "row {row}");
        }
    }

    #[test]
    fn none_is_a_statement_too() {
        let config = MethodConfig::NONE.attempts(policy(Codes::ABORTED));
        let idempotent = METHOD.clone().idempotency(Idempotency::NoSideEffects).config(config);
        let never = idempotent.clone().no_attempts();
        assert_eq!(options(None, &never, Some(config)).attempts, None);
        let call = CallOptions::new().no_retry();
        assert_eq!(options(Some(call), &idempotent, Some(config)).attempts, None);
        // And what is nearer may allow again what was forbidden.
        let call = CallOptions::new().retry(RetryPolicy::IDEMPOTENT);
        assert!(options(Some(call), &never, None).attempts.is_some());
    }

    #[test]
    fn of_limits_the_smallest_holds() {
        for (client, rpc, running, compiled, expected) in [
            (Some(4), Some(3), Some(2), Some(1), Some(1)),
            (Some(4), Some(3), Some(2), Some(5), Some(2)),
            (Some(4), Some(3), Some(6), Some(5), Some(3)),
            (Some(4), None, Some(6), Some(5), Some(4)),
            (None, None, Some(50), None, Some(50)),
            (None, None, None, None, None),
        ] {
            let attribute = |seconds: Option<u64>| seconds.map_or(Deadline::Unset, |n| Deadline::After(S(n)));
            let config = |n: Option<u64>| match n {
                None => MethodConfig::NONE,
                Some(n) => MethodConfig::NONE
                    .timeout(S(n))
                    .max_request_message_bytes(n as usize)
                    .max_response_message_bytes(n as usize * 10),
            };
            let (method, running_config) = (
                METHOD.clone().deadline(attribute(rpc)).config(config(compiled)),
                config(running),
            );
            let stated = Stated {
                call: None,
                client: attribute(client),
                method: Some(&method),
                running: Some(&running_config),
                default: Some(S(30)),
            };
            assert_eq!(stated.options().deadline, expected.map(S));
            let size = smaller(running, compiled).map(|n| n as usize);
            let sizes = Sizes {
                request: size,
                response: size.map(|n| n * 10),
            };
            assert_eq!(stated.sizes(), sizes);
        }
    }

    #[test]
    fn the_pools_deadline_is_for_unary_calls_that_do_not_decline_it() {
        let default = |client, method: Option<&Method>| {
            let stated = Stated {
                call: None,
                client,
                method,
                running: None,
                default: Some(S(30)),
            };
            stated.options().default_deadline
        };
        let stream = Method::new("a.B", "C", "/a.B/C", Shape::ServerStreaming);
        let untimed = METHOD.clone().deadline(Deadline::None);
        assert_eq!(default(Deadline::Unset, Some(&METHOD)), Some(S(30)));
        assert_eq!(default(Deadline::Unset, Some(&stream)), None);
        assert_eq!(default(Deadline::Unset, Some(&untimed)), None);
        assert_eq!(default(Deadline::None, Some(&METHOD)), None);
        assert_eq!(default(Deadline::Unset, None), None);
    }
}
