//! How many connections to dial (R1).
//!
//! gRFC A105 opens one connection at a time. Over a long network that makes a cold burst climb by one handshake per
//! connection, so this goes further: as many dials at once as the waiting calls need at the last stream limit a peer
//! was seen to set, within the maximum; and one alone while the endpoint is failing, so that a dead endpoint sees one
//! attempt per backoff, not one per waiting call.

/// What the pool has and what is asked of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Situation {
    /// Connections that take new calls.
    pub(crate) serving: usize,
    /// Of those, the ones that have outlived their lifetime and serve until they are replaced.
    pub(crate) retiring: usize,
    /// Connections whose peers are doubted. They take no calls.
    pub(crate) doubted: usize,
    /// Dials in flight or scheduled, and connections that were doubted a moment ago.
    pub(crate) dials: usize,
    /// Calls that wait for a stream.
    pub(crate) waiting: usize,
    /// Streams one more connection is expected to offer; at least 1.
    pub(crate) streams_each: usize,
    /// There are connections, and their peers allow no stream on any of them (MAX_CONCURRENT_STREAMS is 0).
    pub(crate) stalled: bool,
    /// Connections to keep, whether there are calls or not.
    pub(crate) floor: usize,
    /// Connections lost while they were in use: each is worth a new one before the next call asks (R15).
    pub(crate) lost_in_use: usize,
    /// All connections are busy all the time, and one more could work beside them.
    pub(crate) saturated: bool,
    /// `max_connections`.
    pub(crate) max: usize,
    /// Connections that `Overflow::Loose` allows past the maximum.
    pub(crate) max_extra: usize,
    /// The last dial failed.
    pub(crate) failing: bool,
}

/// Connections for which there is room below `limit`.
///
/// A connection past its lifetime makes room for its replacement: one over the limit, until that one is up. So does one
/// whose peer is doubted.
fn room(now: Situation, limit: usize) -> usize {
    let replaced = now.retiring.min(1) + now.doubted.min(1);
    // Saturating, because "unlimited" is configured as the greatest number there is.
    limit.saturating_add(replaced).saturating_sub(now.serving + now.doubted)
}

/// Of the connections that were lost in use, those that may be replaced at all. A loss that left the pool at its
/// maximum is none; remembered, it would cause a dial that nobody needs when there is room again.
pub(crate) fn worth_replacing(now: Situation) -> usize {
    now.lost_in_use.min(room(now, now.max))
}

/// How many dials to add to those in flight.
pub(crate) fn dials_wanted(now: Situation) -> usize {
    // Peers that allow no stream may do so at all addresses: those are asked one after the other.
    let for_waiting = match now.stalled {
        true => now.waiting.min(1),
        false => now.waiting.div_ceil(now.streams_each.max(1)),
    };
    let for_floor = now.floor.saturating_sub(now.serving - now.retiring);
    let others = for_floor
        .max(now.lost_in_use)
        .max(now.retiring.min(1))
        .max(usize::from(now.saturated));

    // Only calls that wait may go past the maximum.
    let wanted = for_waiting
        .min(room(now, now.max.saturating_add(now.max_extra)))
        .max(others.min(room(now, now.max)));
    let wanted = if now.failing { wanted.min(1) } else { wanted };
    wanted.saturating_sub(now.dials)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Situation = Situation {
        serving: 0,
        retiring: 0,
        doubted: 0,
        dials: 0,
        waiting: 0,
        streams_each: 10,
        stalled: false,
        floor: 0,
        lost_in_use: 0,
        saturated: false,
        max: 10,
        max_extra: 0,
        failing: false,
    };

    #[test]
    fn dials_follow_the_need_within_the_maximum() {
        let rows = [
            ("nothing asked", CALM, 0),
            ("one waits", Situation { waiting: 1, ..CALM }, 1),
            ("eighty wait, ten each", Situation { waiting: 80, ..CALM }, 8),
            (
                "the first has come up with ten",
                Situation {
                    waiting: 70,
                    serving: 1,
                    ..CALM
                },
                7,
            ),
            (
                "some are on their way",
                Situation {
                    waiting: 70,
                    serving: 1,
                    dials: 5,
                    ..CALM
                },
                2,
            ),
            (
                "more on their way than needed",
                Situation {
                    waiting: 5,
                    dials: 3,
                    ..CALM
                },
                0,
            ),
            (
                "the maximum binds",
                Situation {
                    waiting: 1000,
                    serving: 4,
                    ..CALM
                },
                6,
            ),
            (
                "the maximum is reached",
                Situation {
                    waiting: 1000,
                    serving: 10,
                    ..CALM
                },
                0,
            ),
            (
                "the maximum was lowered",
                Situation {
                    waiting: 1000,
                    serving: 12,
                    ..CALM
                },
                0,
            ),
            (
                "failing",
                Situation {
                    waiting: 80,
                    failing: true,
                    ..CALM
                },
                1,
            ),
            (
                "failing, one in flight",
                Situation {
                    waiting: 80,
                    dials: 1,
                    failing: true,
                    ..CALM
                },
                0,
            ),
            (
                "a floor",
                Situation {
                    floor: 3,
                    serving: 1,
                    ..CALM
                },
                2,
            ),
            (
                "a floor, failing",
                Situation {
                    floor: 3,
                    failing: true,
                    ..CALM
                },
                1,
            ),
            (
                "a floor, of connections that are to be replaced",
                Situation {
                    floor: 3,
                    serving: 3,
                    retiring: 2,
                    ..CALM
                },
                2,
            ),
            ("lost in use", Situation { lost_in_use: 1, ..CALM }, 1),
            (
                "saturated",
                Situation {
                    serving: 2,
                    saturated: true,
                    ..CALM
                },
                1,
            ),
            (
                "saturated, one on its way",
                Situation {
                    serving: 2,
                    dials: 1,
                    saturated: true,
                    ..CALM
                },
                0,
            ),
            (
                "saturated at the maximum",
                Situation {
                    serving: 10,
                    saturated: true,
                    ..CALM
                },
                0,
            ),
            (
                "one is doubted at the maximum",
                Situation {
                    waiting: 25,
                    serving: 9,
                    doubted: 1,
                    ..CALM
                },
                1,
            ),
            (
                "all are doubted",
                Situation {
                    waiting: 25,
                    doubted: 10,
                    ..CALM
                },
                1,
            ),
            (
                "the only one was doubted a moment ago",
                Situation {
                    waiting: 5,
                    doubted: 1,
                    dials: 1,
                    ..CALM
                },
                0,
            ),
            (
                "no stream allowed",
                Situation {
                    waiting: 90,
                    stalled: true,
                    serving: 1,
                    ..CALM
                },
                1,
            ),
            (
                "no stream allowed, one on its way",
                Situation {
                    waiting: 90,
                    stalled: true,
                    serving: 1,
                    dials: 1,
                    ..CALM
                },
                0,
            ),
            (
                "no stream allowed, at the maximum",
                Situation {
                    waiting: 90,
                    stalled: true,
                    serving: 10,
                    ..CALM
                },
                0,
            ),
            (
                "no stream allowed, nobody waits",
                Situation {
                    stalled: true,
                    serving: 1,
                    ..CALM
                },
                0,
            ),
            (
                "one retires",
                Situation {
                    retiring: 1,
                    serving: 1,
                    ..CALM
                },
                1,
            ),
            (
                "one retires at the maximum",
                Situation {
                    retiring: 1,
                    serving: 10,
                    ..CALM
                },
                1,
            ),
            (
                "all retire at the maximum",
                Situation {
                    retiring: 10,
                    serving: 10,
                    ..CALM
                },
                1,
            ),
            (
                "the replacement is on its way",
                Situation {
                    retiring: 2,
                    serving: 10,
                    dials: 1,
                    ..CALM
                },
                0,
            ),
            (
                "loose, at the maximum",
                Situation {
                    waiting: 25,
                    serving: 10,
                    max_extra: 2,
                    ..CALM
                },
                2,
            ),
            (
                "loose, one extra open",
                Situation {
                    waiting: 25,
                    serving: 11,
                    max_extra: 2,
                    ..CALM
                },
                1,
            ),
            (
                "loose, both extra open",
                Situation {
                    waiting: 25,
                    serving: 12,
                    max_extra: 2,
                    ..CALM
                },
                0,
            ),
            (
                "no maximum, one retires",
                Situation {
                    waiting: 25,
                    serving: 3,
                    retiring: 1,
                    max: usize::MAX,
                    ..CALM
                },
                3,
            ),
            (
                "loose without bound",
                Situation {
                    waiting: 25,
                    serving: 12,
                    max_extra: usize::MAX,
                    ..CALM
                },
                3,
            ),
            (
                "loose, nobody waits",
                Situation {
                    floor: 10,
                    serving: 10,
                    max_extra: 2,
                    ..CALM
                },
                0,
            ),
        ];
        for (what, situation, expected) in rows {
            assert_eq!(dials_wanted(situation), expected, "{what}");
        }
    }
}
