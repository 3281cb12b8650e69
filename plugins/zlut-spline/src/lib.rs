//! `zlut.spline`: z by weighted least squares on a cubic spline per radial bin, with gain and offset free and σ from the
//! fit. A thin adaptor: the numerics lie in `tetherscope-kernels` (`SplineTable`, `SplineLookup`).
//!
//! `strategy.rs` is the component and its worker, `planes.rs` makes planes of a sweep, `explain.rs` shows how a z came
//! about.

mod explain;
mod planes;
mod strategy;
#[cfg(test)]
mod tests;

tetherscope_plugin_api::export_plugin! { zlut: strategy::Spline }
