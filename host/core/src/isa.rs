//! Which instructions the numerics of our plugins use, and its name for files. Nothing is chosen here: the plugins take the
//! best that the processor has, unless the environment says otherwise, which reaches every library and every child.

/// The variable that plugins read; [`ISA_BASELINE`] is the one value that means something.
pub const ISA_VARIABLE: &str = "TETHERSCOPE_ISA";

/// What every processor of a kind has: the same bits everywhere.
pub const ISA_BASELINE: &str = "baseline";

/// The instruction set that results depend on in their last bits: `x86_64-avx2`, `x86_64-baseline`.
#[must_use]
pub fn isa() -> String {
    #[cfg(target_arch = "x86_64")]
    let best = if std::arch::is_x86_feature_detected!("avx2") { "avx2" } else { ISA_BASELINE };
    #[cfg(not(target_arch = "x86_64"))]
    let best = ISA_BASELINE;
    let forced = std::env::var_os(ISA_VARIABLE).is_some_and(|v| v == ISA_BASELINE);
    format!("{}-{}", std::env::consts::ARCH, if forced { ISA_BASELINE } else { best })
}
