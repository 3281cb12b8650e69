//! One integration binary: every module is one subject.

mod golden;
mod golden_kernels;
mod golden_optics;
