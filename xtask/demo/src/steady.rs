//! How reads spread over the readers while nothing changes.

use std::collections::BTreeMap;

/// Reads needed before shares mean anything.
const ENOUGH: u64 = 200;

/// Counts reads only between two looks at the same topology with several readers.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    last: Option<(u64, Vec<u64>)>,
    /// For every set of readers, the reads of each instance.
    periods: BTreeMap<Vec<usize>, Vec<u64>>,
}

impl Steady {
    /// Takes a look: the topology's generation, the instances that are usable readers now, and
    /// the reads of all instances so far.
    pub(crate) fn look(&mut self, generation: u64, readers: &[usize], reads: Vec<u64>) {
        if let Some((before, earlier)) = &self.last
            && *before == generation
            && readers.len() > 1
        {
            let sums = self.periods.entry(readers.to_vec()).or_insert_with(|| vec![0; reads.len()]);
            for (sum, (now, then)) in sums.iter_mut().zip(reads.iter().zip(earlier)) {
                *sum += now - then;
            }
        }
        self.last = Some((generation, reads));
    }

    /// For every set of readers that served enough reads, each reader's share of all reads.
    pub(crate) fn shares(&self) -> Vec<Vec<(usize, f64)>> {
        let enough = |sums: &&Vec<u64>| sums.iter().sum::<u64>() >= ENOUGH;
        let share = |readers: &[usize], sums: &[u64]| {
            let total = sums.iter().sum::<u64>() as f64;
            readers.iter().map(|reader| (*reader, sums[*reader] as f64 / total)).collect()
        };
        self.periods
            .iter()
            .filter(|(_, sums)| enough(sums))
            .map(|(readers, sums)| share(readers, sums))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_between_two_looks_at_the_same_topology_count() {
        let mut steady = Steady::default();
        steady.look(1, &[1, 2], vec![0, 0, 0]);
        steady.look(1, &[1, 2], vec![10, 150, 140]);
        steady.look(2, &[2], vec![10, 150, 900]);
        steady.look(2, &[2], vec![10, 150, 990]);
        steady.look(3, &[0, 2], vec![500, 150, 990]);
        let shares = steady.shares();
        assert_eq!(shares, [vec![(1, 0.5), (2, 140.0 / 300.0)]]);
    }
}
