//! Times in nanoseconds, to within 1.6 %.

const SUB: u32 = 6;

/// Counts per bucket; 64 buckets per power of two.
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (64 - SUB as usize) << SUB], total: 0 }
    }
}

impl Histogram {
    /// Adds one value to its bucket.
    pub fn record(&mut self, value: u64) {
        let at = bucket(value).min(self.counts.len() - 1);
        self.counts[at] += 1;
        self.total += 1;
    }

    /// The value below which `share` (0 to 1) of the values lie; 0 when there are none.
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return lowest(at);
            }
        }
        0
    }
}

fn bucket(value: u64) -> usize {
    let shift = (63 - value.max(1).leading_zeros()).saturating_sub(SUB);
    ((u64::from(shift) << SUB) + (value >> shift)) as usize
}

fn lowest(at: usize) -> u64 {
    let at = at as u64;
    let size = 1 << SUB;
    if at < 2 * size {
        return at;
    }
    let shift = (at >> SUB) - 1;
    (at - (shift << SUB)) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_close() {
        let mut histogram = Histogram::default();
        for value in 1..=100_000_u64 {
            histogram.record(value * 1000);
        }
        for (share, wanted) in [(0.5, 50_000_000.0), (0.99, 99_000_000.0)] {
            let found = histogram.quantile(share) as f64;
            assert!((found / wanted - 1.0).abs() < 0.016, "{share}: {found}");
        }
    }

    #[test]
    fn every_bucket_starts_with_the_value_that_falls_into_it() {
        for at in 0..2000 {
            assert_eq!(bucket(lowest(at)), at);
        }
    }
}
