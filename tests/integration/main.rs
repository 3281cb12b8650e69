//! One integration binary: every module is one subject.

mod abi_layout;
mod abi_source;
mod author;
mod c_header;
mod check;
mod cli;
mod finder;
mod golden;
mod golden_kernels;
mod golden_optics;
mod golden_plugins;
mod harness;
mod house;
mod isolation;
mod live;
mod live_camera;
mod loader;
mod recording;
mod window;
