//! What ends a call before its response does: its deadline, and the cancellation of the call that it was made for. And
//! `grpc-timeout` on the wire (R21, R22).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Code;

use super::inherited::Inherited;
use super::outcome;
use crate::error::{Kind, Phase};
use crate::pool::config::LONGEST;

/// The header that tells the server how long the client will wait.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// When a call is over, and how long it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) after: Duration,
    pub(crate) origin: Origin,
}

/// Where the end of a call's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The call itself, its client or its pool.
    Own,
    /// The deadline of the incoming call.
    Incoming,
    /// The incoming call was cancelled: the time is over now.
    Cancelled,
}

impl Deadline {
    pub(crate) fn after(now: Instant, after: Duration) -> Self {
        Self {
            at: now + after.min(LONGEST),
            after,
            origin: Origin::Own,
        }
    }

    /// The incoming call was cancelled.
    pub(crate) fn cancelled(now: Instant) -> Self {
        Self {
            at: now,
            after: Duration::ZERO,
            origin: Origin::Cancelled,
        }
    }

    /// Nothing of it has passed yet.
    pub(super) fn is_whole(&self, now: Instant) -> bool {
        self.at.saturating_duration_since(now) == self.after.min(LONGEST)
    }

    /// The failure that this deadline is.
    pub(crate) fn exceeded(&self, phase: Phase) -> Kind {
        match self.origin {
            Origin::Cancelled => Kind::Cancelled { phase },
            origin => Kind::Deadline {
                after: self.after,
                inherited: origin == Origin::Incoming,
                phase,
            },
        }
    }

    /// Whether the peer cancelled the stream because the time was up there: its clock may be ahead of the timer
    /// here, and what fails because of the deadline is DEADLINE_EXCEEDED (R22).
    pub(crate) fn explains(&self, error: &h2::Error) -> bool {
        error.is_remote() && error.reason() == Some(h2::Reason::CANCEL) && Instant::now() >= self.at
    }

    /// What is left, as a header's value. A deadline that has passed still says one unit: zero is not a timeout.
    ///
    /// Most calls are sent the moment they are made and say the same; HPACK sends such a value as one byte. What a
    /// call says that had to wait comes once, and is kept out of the tables of both sides: a table that every call
    /// adds to and evicts from costs more than all other headers together (measured: 3.3k of 54.7k instructions).
    pub(crate) fn header(&self, now: Instant) -> HeaderValue {
        let left = self.at.saturating_duration_since(now);
        let all = self.after.min(LONGEST);
        let timeout = Timeout::of(left);
        let mut value = timeout.header();
        value.set_sensitive(left != all && timeout != Timeout::of(all));
        value
    }
}

/// A deadline of which nothing has passed yet, as a header's value.
pub(crate) fn whole_header(after: Duration) -> HeaderValue {
    Timeout::of(after.min(LONGEST)).header()
}

/// Ends a call at its deadline, or with the incoming call that it is made for. The timer is made when the call first has
/// to wait for the peer, and kept to its end.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    /// The earlier one of the call's own and the inherited.
    pub(crate) deadline: Option<Deadline>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Boxed, because few calls have one and all of them move this.
    incoming: Option<Box<Watch>>,
}

/// Waits for the cancellation of the incoming call.
#[derive(Debug)]
struct Watch {
    incoming: Inherited,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Timer {
    pub(crate) fn new(own: Option<Deadline>, inherited: Option<Inherited>) -> Self {
        let theirs = inherited.as_ref().and_then(Inherited::deadline);
        Self {
            deadline: own.into_iter().chain(theirs).min_by_key(|deadline| deadline.at),
            sleep: None,
            incoming: inherited.map(|incoming| {
                let cancelled = Box::pin(incoming.wait());
                Box::new(Watch { incoming, cancelled })
            }),
        }
    }

    /// The incoming call that this one is made for.
    pub(crate) fn incoming(&self) -> Option<&Inherited> {
        self.incoming.as_ref().map(|watch| &watch.incoming)
    }

    /// Whether the call's time has any end but the response's.
    pub(crate) fn is_set(&self) -> bool {
        self.deadline.is_some() || self.incoming.is_some()
    }

    /// What the call has run into, if its time is over.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Deadline> {
        let passed = self.deadline.filter(|deadline| deadline.at <= now);
        let is_cancelled = || self.incoming().is_some_and(Inherited::is_cancelled);
        passed.or_else(|| is_cancelled().then(|| Deadline::cancelled(now)))
    }

    /// The end of the call's time, if a status CANCELLED of the server's comes from it: a server that ends a call at the
    /// deadline that it was told may report it this way, and be faster than the timer here (R22).
    pub(crate) fn explains(&self, status: &HeaderMap) -> Option<Deadline> {
        match outcome::code(status) {
            Code::Cancelled => self.overdue(Instant::now()),
            _ => None,
        }
    }

    /// Ready when the time is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Deadline> {
        if let Some(watch) = &mut self.incoming
            && watch.cancelled.as_mut().poll(cx).is_ready()
        {
            let now = Instant::now();
            return Poll::Ready(self.overdue(now).unwrap_or(Deadline::cancelled(now)));
        }
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline.at)));
        sleep.as_mut().poll(cx).map(|()| deadline)
    }

    /// Moves the timer to where the call goes on.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// The largest value of eight digits.
const MOST: u64 = 99_999_999;

/// A timeout as it goes over the wire: at most 8 digits and a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timeout {
    value: u64,
    unit: u8,
}

impl Timeout {
    /// Rounded up to three digits that count, and put into the coarsest unit that can say that. A server that is told
    /// up to a hundredth more than is left does no harm; one that is told less would give up early.
    fn of(timeout: Duration) -> Self {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).max(1);
        let step = 10_u64.pow(nanos.ilog10().saturating_sub(2));
        let nanos = nanos.div_ceil(step).saturating_mul(step);
        let units = [(1_000_000_000, b'S'), (1_000_000, b'm'), (1_000, b'u'), (1, b'n')];
        let (size, unit) = units
            .into_iter()
            .find(|(size, _)| nanos.is_multiple_of(*size))
            .unwrap_or((1, b'n'));
        Self {
            value: (nanos / size).min(MOST),
            unit,
        }
    }

    fn header(self) -> HeaderValue {
        let mut text = [0; 9];
        let mut start = text.len() - 1;
        text[start] = self.unit;
        let mut rest = self.value;
        loop {
            start -= 1;
            text[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 || start == 0 {
                break;
            }
        }
        // Digits and a letter are always a value.
        HeaderValue::from_bytes(&text[start..]).unwrap_or(HeaderValue::from_static("99999999S"))
    }
}

/// The timeout that a caller set on the request, `Request::set_timeout` for one. A value that is not of the
/// specified form counts as none, as it does for a server.
pub(crate) fn requested(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "n" => Duration::from_nanos(value),
        "u" => Duration::from_micros(value),
        "m" => Duration::from_millis(value),
        "S" => Duration::from_secs(value),
        "M" => Duration::from_secs(value * 60),
        "H" => Duration::from_secs(value * 3_600),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_keep_to_eight_digits_and_never_come_out_shorter() {
        let rows = [
            (Duration::ZERO, "1n"),
            (Duration::from_nanos(999), "999n"),
            (Duration::from_nanos(1_001), "1010n"),
            (Duration::from_nanos(999_999), "1m"),
            (Duration::from_nanos(1_234_567), "1240u"),
            (Duration::from_nanos(249_980_000), "250m"),
            (Duration::from_nanos(29_999_999_000), "30S"),
            (Duration::from_millis(1_250), "1250m"),
            (Duration::from_secs(99_999), "100000S"),
            (Duration::from_secs(99_999_999), "99999999S"),
            (LONGEST, "99999999S"),
        ];
        for (timeout, expected) in rows {
            assert_eq!(Timeout::of(timeout).header(), expected, "{timeout:?}");
        }
    }

    #[test]
    fn only_what_many_calls_say_is_for_the_header_tables() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::from_secs(2));
        let soon = deadline.header(now + Duration::from_micros(20));
        assert_eq!((soon.to_str().unwrap(), soon.is_sensitive()), ("2S", false));
        let late = deadline.header(now + Duration::from_millis(700));
        assert_eq!((late.to_str().unwrap(), late.is_sensitive()), ("1300m", true));
    }

    #[test]
    fn what_the_specification_allows_is_read_and_nothing_else() {
        let rows = [
            ("250m", Some(Duration::from_millis(250))),
            ("1H", Some(Duration::from_secs(3_600))),
            ("99999999S", Some(Duration::from_secs(99_999_999))),
            ("100000000S", None),
            ("", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("1s", None),
            ("1é", None),
        ];
        for (text, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(GRPC_TIMEOUT, HeaderValue::from_bytes(text.as_bytes()).unwrap());
            assert_eq!(requested(&headers), expected, "{text:?}");
        }
    }
}
