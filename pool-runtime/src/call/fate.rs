//! What became of a request that failed: decided from the error's source, never from a status code (R8).

use h2::Reason;
use tokio::time::Instant;

use crate::conn::Link;
use crate::conn::goaway::GoAway;
use crate::conn::resets::YOUNG;
use crate::conn::silence::TimedOut;
use crate::error::{Kind, Phase};

/// Whether the peer's application may have seen a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing of it left this side.
    Unsent,
    /// The peer says that it did not process it (RFC 9113, 8.7).
    Refused,
    /// It may have been processed.
    Sent,
}

/// What the connection had done when a request was queued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// Bytes handed to the transport. If there are no more when the request fails, it cannot have left: a connection that
    /// died while idle is found out this way.
    written: u64,
    /// Bytes that had come from the peer.
    read: u64,
    sent: Instant,
    /// The moment, if it was between two turns of the connection's task.
    rest: Option<u64>,
}

impl Mark {
    pub(crate) fn set(link: &Link, now: Instant) -> Self {
        Self {
            written: link.pace.written(),
            read: link.pace.read(),
            sent: now,
            rest: link.rest(),
        }
    }

    /// Whether h2 was not given a turn since, and so took nothing out of its queue. Bytes that have not been written
    /// would not say that: with a peer that does not read, they may be on their way to it yet.
    pub(crate) fn is_now(self, link: &Link) -> bool {
        self.rest.is_some() && self.rest == link.rest()
    }

    /// The peer may not have accepted the request yet.
    pub(crate) fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sent) < YOUNG
    }

    /// The request ran into its deadline; true if the peer is to be doubted.
    pub(crate) fn timed_out(&self, link: &Link, now: Instant) -> bool {
        let call = TimedOut {
            sent: self.sent,
            read_then: self.read,
            read: link.pace.read(),
        };
        link.timed_out(call, now)
    }

    /// The fate of a request that failed with `error` before its response began.
    pub(crate) fn fate(self, error: &h2::Error, link: &Link) -> Fate {
        if link.pace.written() == self.written {
            Fate::Unsent
        } else if error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM)) {
            // h2 fails only those streams with the peer's GOAWAY that are above its last id.
            Fate::Refused
        } else {
            Fate::Sent
        }
    }
}

/// Whether h2 refuses the request itself, which no other connection would take either.
pub(crate) fn is_malformed(error: &h2::Error) -> bool {
    !error.is_io() && !error.is_go_away() && !error.is_reset() && error.reason().is_none()
}

/// What the failure is called.
pub(crate) fn kind(error: &h2::Error, phase: Phase, link: &Link) -> Kind {
    if is_malformed(error) {
        let problem = error.to_string();
        return Kind::Request { problem };
    }
    // A connection that ends takes its calls with it, whoever ended it and for whatever reason.
    let is_lost = error.is_io() || error.is_go_away();
    match error.reason() {
        Some(reason) if !is_lost => Kind::Reset { phase, reason },
        _ => Kind::Lost {
            phase,
            reason: link.ended(),
            detail: detail(error, link).map(String::into_boxed_str),
        },
    }
}

/// The cause of a connection's end. A peer that sends GOAWAY and closes has given its cause before the transport's error.
fn detail(error: &h2::Error, link: &Link) -> Option<String> {
    let ours = GoAway::of(error);
    let goaway = ours.as_ref().or_else(|| link.goaway());
    goaway
        .map(ToString::to_string)
        .or_else(|| error.get_io().map(ToString::to_string))
}
