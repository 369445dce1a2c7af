//! Medians and spread.

/// A few samples in three numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
    /// How many there are.
    pub count: usize,
}

impl Stats {
    /// Of `samples`; none of none. What is no number is not counted.
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.iter().copied().filter(|it| !it.is_nan()).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied();
        let count = sorted.len();
        let upper = at(count / 2)?;
        let median = if count.is_multiple_of(2) {
            f64::midpoint(at(count / 2 - 1)?, upper)
        } else {
            upper
        };
        Some(Self {
            median,
            least: at(0)?,
            most: at(count - 1)?,
            count,
        })
    }

    /// Whether all of these samples lie on one side of all of the other's.
    #[must_use]
    pub fn is_apart(&self, other: &Self) -> bool {
        self.most < other.least || other.most < self.least
    }
}
