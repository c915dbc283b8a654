//! Which connection serves the next call.
//!
//! A pure choice over the connections' loads. A connection without a free stream is never chosen, whatever the
//! strategy, so no strategy can exceed a limit.

/// How the pool spreads calls over its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The connection with the fewest calls in flight; among equals the oldest, so that surplus connections fall
    /// idle and are closed. The default: it keeps queues behind a slow connection short.
    #[default]
    LeastLoaded,
    /// Each connection in turn. For peers behind a load balancer that counts calls, not streams. Whose turn it is must
    /// be known in one place, so every checkout takes the pool's lock; with the other strategies few do.
    RoundRobin,
    /// The connection with the most calls in flight that still has a free stream. Keeps the number of connections
    /// small, and batches most.
    FillFirst,
}

/// What the choice needs to know of one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Calls in flight.
    pub(crate) in_flight: u32,
    /// Whether it may take one more.
    pub(crate) has_room: bool,
}

/// Chooses among `loads` by index. `cursor` is where the last choice of round robin left off.
pub(crate) fn pick(
    strategy: Strategy,
    loads: impl ExactSizeIterator<Item = Load>,
    cursor: &mut usize,
) -> Option<usize> {
    let len = loads.len();
    let open = loads.enumerate().filter(|(_, load)| load.has_room);
    match strategy {
        Strategy::LeastLoaded => open.min_by_key(|(_, load)| load.in_flight).map(|(index, _)| index),
        // `max_by_key` prefers the last of equals; the first is wanted, as above.
        Strategy::FillFirst => open
            .min_by_key(|(_, load)| u32::MAX - load.in_flight)
            .map(|(index, _)| index),
        Strategy::RoundRobin => {
            let start = *cursor;
            let chosen = open
                .map(|(index, _)| index)
                .min_by_key(|index| (index + len - start % len) % len)?;
            *cursor = (chosen + 1) % len;
            Some(chosen)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(strategy: Strategy, loads: &[(u32, bool)], mut cursor: usize, expected: Option<usize>) {
        let loads = loads.iter().map(|&(in_flight, has_room)| Load { in_flight, has_room });
        assert_eq!(pick(strategy, loads, &mut cursor), expected, "{strategy:?}");
    }

    #[test]
    fn the_choice_follows_the_strategy_and_never_falls_on_a_full_connection() {
        use Strategy::*;
        type Row = (Strategy, &'static [(u32, bool)], usize, Option<usize>);
        let rows: [Row; 12] = [
            (LeastLoaded, &[], 0, None),
            (FillFirst, &[], 0, None),
            (RoundRobin, &[], 0, None),
            (LeastLoaded, &[(3, true), (1, true), (1, true)], 0, Some(1)),
            (LeastLoaded, &[(3, true), (0, false), (4, true)], 0, Some(0)),
            (FillFirst, &[(3, true), (1, true), (3, true)], 0, Some(0)),
            (FillFirst, &[(9, false), (1, true), (3, true)], 0, Some(2)),
            (RoundRobin, &[(0, true), (0, true), (0, true)], 1, Some(1)),
            (RoundRobin, &[(0, true), (9, false), (0, true)], 1, Some(2)),
            (RoundRobin, &[(0, true), (9, false), (9, false)], 2, Some(0)),
            // The cursor may point past the end when connections have gone.
            (RoundRobin, &[(0, true), (0, true)], 7, Some(1)),
            (RoundRobin, &[(1, false), (1, false)], 0, None),
        ];
        for (strategy, loads, cursor, expected) in rows {
            check(strategy, loads, cursor, expected);
        }
    }

    #[test]
    fn round_robin_visits_every_connection_before_any_twice() {
        let mut cursor = 0;
        let mut seen = Vec::new();
        for _ in 0..6 {
            let loads = [Load {
                in_flight: 0,
                has_room: true,
            }; 3];
            seen.extend(pick(Strategy::RoundRobin, loads.into_iter(), &mut cursor));
        }
        assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
    }
}
