//! Seeds: one generator per purpose, bead, axis or frame, each independent of how often the others were asked.

use rand_xoshiro::rand_core::{Rng, SeedableRng};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// What a stream of random numbers is for, so that no two purposes share numbers.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum Purpose {
    Sensor = 1,
    Motion = 2,
    Placement = 3,
}

/// The generator that belongs to (seed, purpose, number), where the number is a frame index or a bead and axis.
/// The three are hashed one after the other by SplitMix64, so that neighbouring numbers give unrelated streams.
pub(super) fn stream(seed: u64, purpose: Purpose, number: u64) -> Xoshiro256PlusPlus {
    let hash = |value: u64| SplitMix64::seed_from_u64(value).next_u64();
    Xoshiro256PlusPlus::seed_from_u64(hash(hash(hash(seed) ^ purpose as u64) ^ number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_neighbouring_numbers_purposes_and_seeds_differ() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..8 {
            for purpose in [Purpose::Sensor, Purpose::Motion, Purpose::Placement] {
                for number in 0..200 {
                    let mut rng = stream(seed, purpose, number);
                    assert!((0..4).all(|_| seen.insert(rng.next_u64())), "two streams share a number");
                }
            }
        }
    }
}
