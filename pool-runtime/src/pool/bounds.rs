//! How many connections there may be, after all who have a say in it.

use crate::precedence::smaller;

/// What was asked for, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The pool's own bounds.
    pub(crate) min: usize,
    pub(crate) max: usize,
    /// `connectionScaling` of the service config that pool-build was given.
    pub(crate) compiled: Option<usize>,
    /// The same of the one that the running pool was given.
    pub(crate) running: Option<usize>,
}

impl Bounds {
    /// The minimum and the maximum that hold. The owners of a service may ask for fewer connections than the pool
    /// would open, and not for more: gRFC A105 has the client clamp their number to its own limit.
    pub(crate) fn effective(self) -> (usize, usize) {
        let max = smaller(Some(self.max), self.running.or(self.compiled)).unwrap_or(self.max);
        (self.min.min(max), max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_the_pools_maximum_and_the_service_owners_holds() {
        for (compiled, running, expected) in [
            (None, None, (2, 10)),
            (Some(3), None, (2, 3)),
            (Some(3), Some(5), (2, 5)),
            (Some(3), Some(20), (2, 10)),
            (None, Some(1), (1, 1)),
        ] {
            let bounds = Bounds {
                min: 2,
                max: 10,
                compiled,
                running,
            };
            assert_eq!(bounds.effective(), expected, "{compiled:?} {running:?}");
        }
    }
}
