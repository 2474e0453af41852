//! Times sorted into buckets, so that millions of them cost a few kilobytes and give any percentile within 2 %.
//! Pure. Invariant: a value lies in the bucket whose middle is told for it.

/// Buckets per doubling: the error of a percentile is at most half of 1/32.
const STEPS: u64 = 32;
/// Five bits are the step within a doubling.
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of times, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub fn record(&mut self, nanoseconds: u64) {
        let bucket = bucket(nanoseconds);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.total += 1;
    }

    pub fn add(&mut self, other: &Self) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    pub fn count(&self) -> u64 {
        self.total
    }

    /// The time below which this share of all lies, in nanoseconds. None if nothing was recorded.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.counts.iter().enumerate().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank && self.total > 0).then(|| middle(bucket))
        })
    }
}

/// Below 64 each value has its own bucket; above, each doubling has 32.
fn bucket(value: u64) -> usize {
    let doubling = (u64::BITS - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(doubling) * STEPS + (value >> doubling)) as usize
}

fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    let lowest = (bucket - doubling * STEPS) << doubling;
    lowest + (1 << doubling) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_near_the_middle_of_its_bucket() {
        for value in (0..2_000).chain((11..40).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + (1 << (bits - 2))])) {
            let told = middle(bucket(value));
            assert!(told.abs_diff(value) * 60 <= value.max(60), "{value} is told as {told}");
        }
    }

    #[test]
    fn percentiles_are_where_they_should_be() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=1_000).for_each(|value| histogram.record(value * 1_000));
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.count(), 2_000);
        for (share, expected) in [(0.0, 1_000), (0.5, 500_000), (0.99, 990_000), (1.0, 1_000_000)] {
            let told = twice.quantile(share).unwrap();
            assert!(told.abs_diff(expected) * 50 <= expected, "{share}: {told}");
        }
    }
}
