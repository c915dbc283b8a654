//! Medians and quartiles: what noise there is must show.

/// The middle of a number of samples, and how far half of them lie apart.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// A quarter of the samples is below.
    pub low: f64,
    /// The middle.
    pub median: f64,
    /// A quarter of the samples is above.
    pub high: f64,
}

impl Spread {
    /// Of these samples; not a number if there are none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            low: at(&sorted, 0.25),
            median: at(&sorted, 0.5),
            high: at(&sorted, 0.75),
        }
    }
}

/// Between two samples, in proportion.
fn at(sorted: &[f64], part: f64) -> f64 {
    let place = part * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(below), sorted.get(above)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_the_samples_in_proportion() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]);
        assert_eq!((spread.low, spread.median, spread.high), (1.75, 2.5, 3.25));
        let one = Spread::of([7.0]);
        assert_eq!((one.low, one.median, one.high), (7.0, 7.0, 7.0));
        assert!(Spread::of([]).median.is_nan());
    }
}
