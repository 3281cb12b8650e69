//! Which instructions the quick loops may use: the build's own, or AVX2 where the processor has it.
//!
//! The loops are plain Rust, compiled once for each set; nothing in them depends on the set, and AVX2 without fused
//! multiply-add rounds as the baseline does, so both give the same bits. AVX2 is about twice as quick.

#![allow(unsafe_code)]

/// A set of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// What every processor of the build's target has; on x86-64 that is SSE2.
    Baseline,
    /// AVX2, 256 bits at a time.
    Avx2,
}

impl Isa {
    /// The best set that this processor has; the baseline where the environment says `TETHERSCOPE_ISA=baseline`, which is
    /// read once. A plugin library has its own copy of this crate, and so has a child: the environment reaches them all.
    pub fn detect() -> Isa {
        static BEST: std::sync::OnceLock<Isa> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| {
            let wanted = std::env::var_os("TETHERSCOPE_ISA");
            if Isa::Avx2.is_available() && wanted.is_none_or(|w| w != "baseline") { Isa::Avx2 } else { Isa::Baseline }
        })
    }

    /// True when this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Baseline => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 => false,
        }
    }

    /// The name for files and options: `baseline`, `avx2`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Baseline => "baseline",
            Isa::Avx2 => "avx2",
        }
    }
}

/// A loop that is worth compiling for each set. Its `run`, and what that calls, must be `#[inline(always)]`: only what is
/// inlined is compiled for the set.
pub(crate) trait Vectorised {
    /// What comes back.
    type Output;
    /// The loop.
    fn run(self) -> Self::Output;
}

/// An [`Isa`] that the processor was found to have: the proof that [`Supported::run`] needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Supported(Isa);

impl Supported {
    /// `isa`, or the baseline where the processor lacks it.
    pub(crate) fn or_baseline(isa: Isa) -> Supported {
        Supported(if isa.is_available() { isa } else { Isa::Baseline })
    }

    /// The best set, for loops whose numbers do not depend on it and that have no option for it.
    #[inline]
    pub(crate) fn best() -> Supported {
        Supported::or_baseline(Isa::detect())
    }

    /// The set.
    pub(crate) fn isa(self) -> Isa {
        self.0
    }

    /// Runs the loop as compiled for this set.
    #[inline]
    pub(crate) fn run<V: Vectorised>(self, work: V) -> V::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `or_baseline`, the only constructor, has found AVX2 on this processor.
            Isa::Avx2 => unsafe { run_avx2(work) },
            _ => work.run(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<V: Vectorised>(work: V) -> V::Output {
    work.run()
}
