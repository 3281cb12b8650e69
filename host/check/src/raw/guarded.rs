//! Memory for a plugin's outputs between guards that nobody may touch, and what stands in the guards.

use tetherscope_loader::Fix;

/// Rows, or values, on each side of an output that nobody may touch.
const GUARD: usize = 32;
/// What stands in guards: a NaN that no arithmetic gives.
pub(super) const PATTERN: u64 = 0x7ff8_6775_6172_6421;
pub(super) const PATTERN_F32: u32 = 0x7fc0_6775;
const PATTERN_FLAGS: u32 = 0x5a5a_5a5a;

/// A row as it stands in a guard.
pub(super) fn guard_fix() -> Fix {
    Fix { x_px: f64::from_bits(PATTERN), y_px: f64::from_bits(PATTERN), flags: PATTERN_FLAGS, ..Fix::EMPTY }
}

/// True for a guard's row that nobody touched.
pub(super) fn is_guard_fix(f: &Fix) -> bool {
    (f.x_px.to_bits(), f.y_px.to_bits(), f.flags) == (PATTERN, PATTERN, PATTERN_FLAGS)
}

/// Memory for `n` values between two guards.
pub(super) struct Guarded<T> {
    all: Vec<T>,
    n: usize,
}

impl<T: Copy> Guarded<T> {
    pub(super) fn new(n: usize, guard: T, empty: T) -> Self {
        let mut all = vec![guard; n + 2 * GUARD];
        all[GUARD..GUARD + n].fill(empty);
        Self { all, n }
    }

    /// First value between the guards. Made from the whole vector, so that a write into a guard is one into this very
    /// memory.
    pub(super) fn first(&mut self) -> *mut T {
        self.all.as_mut_ptr().wrapping_add(GUARD)
    }

    /// The values between the guards.
    pub(super) fn values(&self) -> &[T] {
        &self.all[GUARD..GUARD + self.n]
    }

    /// The same, to be filled.
    pub(super) fn values_mut(&mut self) -> &mut [T] {
        &mut self.all[GUARD..GUARD + self.n]
    }

    /// Names the guards in which a value is no longer as it was.
    pub(super) fn changed(&self, name: &str, intact: impl Fn(&T) -> bool, into: &mut Vec<String>) {
        for (guard, side) in [(&self.all[..GUARD], "before"), (&self.all[GUARD + self.n..], "after")] {
            if !guard.iter().all(&intact) {
                into.push(format!("{side} the {name}"));
            }
        }
    }
}
