//! Which connection serves the next call.
//!
//! A pure choice over the connections' loads. A connection without a free stream is never chosen, whatever the
//! strategy, so no strategy can exceed a limit. Those on which the call failed before come last.

use std::cmp::Reverse;

use super::avoid::Objection;

/// How the pool spreads calls over its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The connection with the fewest calls in flight, at random among equals. The default: it keeps queues behind a
    /// slow connection short.
    ///
    /// A call that fails at once counts as in flight for about a second, so that a server that fails is not taken for
    /// an idle one.
    #[default]
    LeastLoaded,
    /// Each connection in turn. For peers behind a load balancer that counts calls, not streams. Whose turn it is must
    /// be known in one place, so every checkout takes the pool's lock; with the other strategies few do.
    RoundRobin,
    /// The connection with the most calls in flight that still has a free stream; the oldest among equals. Keeps the
    /// number of connections small, and batches most. A connection on which calls fail comes last for about a second.
    FillFirst,
}

/// What the choice needs to know of one connection.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Calls in flight.
    pub(crate) in_flight: u32,
    /// Calls that failed on it of late; each weighs like one in flight.
    pub(crate) faults: u32,
    /// It may take one more call.
    pub(crate) has_room: bool,
    /// The call failed here, or near, before.
    pub(crate) objection: Objection,
}

/// Chooses among `loads` by index. `cursor` is where the last choice of round robin left off; `ties` is random and
/// decides among equals, or 0 for the first of them.
pub(crate) fn pick(
    strategy: Strategy,
    loads: impl ExactSizeIterator<Item = Load>,
    cursor: &mut usize,
    ties: u64,
) -> Option<usize> {
    let len = loads.len();
    let open = loads.enumerate().filter(|(_, load)| load.has_room);
    let chosen = match strategy {
        Strategy::LeastLoaded => open.min_by_key(|&(index, load)| {
            let weight = load.in_flight.saturating_add(load.faults);
            (load.objection, weight, lot(ties, index))
        }),
        Strategy::FillFirst => open.min_by_key(|(_, load)| (load.objection, load.faults > 0, Reverse(load.in_flight))),
        Strategy::RoundRobin => {
            let start = *cursor;
            open.min_by_key(|(index, load)| (load.objection, (index + len - start % len) % len))
        }
    };
    let (index, _) = chosen?;
    *cursor = (index + 1) % len;
    Some(index)
}

/// The lot that the connection at `index` draws; the lowest wins. SplitMix64's finalizer makes lots of one draw
/// independent of each other. Taking the next in a ring instead would favour the neighbour of a full connection.
fn lot(ties: u64, index: usize) -> u64 {
    if ties == 0 {
        return 0;
    }
    let seed = ties.wrapping_add((index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Load = Load {
        in_flight: 0,
        faults: 0,
        has_room: true,
        objection: Objection::None,
    };

    fn busy(in_flight: u32) -> Load {
        Load { in_flight, ..FREE }
    }

    fn full(in_flight: u32) -> Load {
        Load {
            in_flight,
            has_room: false,
            ..FREE
        }
    }

    fn failing(faults: u32) -> Load {
        Load { faults, ..FREE }
    }

    fn avoided(objection: Objection) -> Load {
        Load { objection, ..FREE }
    }

    #[test]
    fn the_choice_follows_the_strategy() {
        use Strategy::*;
        type Row<'a> = (Strategy, &'a [Load], usize, Option<usize>);
        let rows: [Row<'_>; 18] = [
            (LeastLoaded, &[], 0, None),
            (FillFirst, &[], 0, None),
            (RoundRobin, &[], 0, None),
            (LeastLoaded, &[busy(3), busy(1), busy(1)], 0, Some(1)),
            (LeastLoaded, &[busy(3), full(0), busy(4)], 0, Some(0)),
            (LeastLoaded, &[failing(4), busy(3)], 0, Some(1)),
            (LeastLoaded, &[failing(2), busy(3)], 0, Some(0)),
            (LeastLoaded, &[failing(u32::MAX), full(0)], 0, Some(0)),
            (FillFirst, &[busy(3), busy(1), busy(3)], 0, Some(0)),
            (FillFirst, &[full(9), busy(1), busy(3)], 0, Some(2)),
            (FillFirst, &[Load { faults: 1, ..busy(3) }, busy(1)], 0, Some(1)),
            (RoundRobin, &[FREE, FREE, FREE], 1, Some(1)),
            (RoundRobin, &[FREE, full(9), FREE], 1, Some(2)),
            (RoundRobin, &[FREE, full(9), full(9)], 2, Some(0)),
            // The cursor may point past the end when connections have gone.
            (RoundRobin, &[FREE, FREE], 7, Some(1)),
            (RoundRobin, &[full(1), full(1)], 0, None),
            (RoundRobin, &[FREE, failing(9)], 1, Some(1)),
            (LeastLoaded, &[full(1), full(1)], 0, None),
        ];
        for (strategy, loads, mut cursor, expected) in rows {
            let picked = pick(strategy, loads.iter().copied(), &mut cursor, 0);
            assert_eq!(picked, expected, "{strategy:?} of {loads:?}");
        }
    }

    #[test]
    fn avoided_connections_come_last() {
        use Objection::*;
        type Row<'a> = (&'a [Load], Option<usize>);
        let rows: [Row<'_>; 5] = [
            (&[avoided(SameConnection), busy(50)], Some(1)),
            (&[avoided(SameConnection), avoided(SameAddress)], Some(1)),
            (&[avoided(SameAddress), avoided(SameAddress), busy(50)], Some(2)),
            (&[avoided(SameConnection), full(50)], Some(0)),
            (&[avoided(SameConnection)], Some(0)),
        ];
        for strategy in [Strategy::LeastLoaded, Strategy::FillFirst, Strategy::RoundRobin] {
            for (loads, expected) in rows {
                let picked = pick(strategy, loads.iter().copied(), &mut 0, 7);
                assert_eq!(picked, expected, "{strategy:?} of {loads:?}");
            }
        }
    }

    #[test]
    fn equals_are_chosen_evenly() {
        let mut rng = fastrand::Rng::with_seed(1);
        let loads = [busy(5), FREE, FREE, full(0), FREE];
        let mut counts = [0_u32; 5];
        for _ in 0..30_000 {
            let picked = pick(Strategy::LeastLoaded, loads.into_iter(), &mut 0, rng.u64(1..));
            counts[picked.unwrap()] += 1;
        }
        assert_eq!((counts[0], counts[3]), (0, 0));
        for count in [counts[1], counts[2], counts[4]] {
            assert!((9_500..10_500).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn round_robin_visits_every_connection_before_any_twice() {
        let mut cursor = 0;
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.extend(pick(Strategy::RoundRobin, [FREE; 3].into_iter(), &mut cursor, 0));
        }
        assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
    }
}
