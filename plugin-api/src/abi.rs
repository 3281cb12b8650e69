//! The contract between host and plugin: C layout, constants and function tables. No code.
//!
//! **Data structs are frozen within a major version. Function tables grow at their end**: each begins with
//! `struct_size`, the reader copies the smaller of both sizes into zeroed memory, and a function that is then null is
//! absent. Nothing owned crosses: buffers belong to the host, text and bytes of unknown size go through a [`Writer`].
//! Text is UTF-8 with a length, not zero-terminated. Reserved words are zero.
//!
//! In C every name has the prefix `ts_` (types, snake case) or `TS_` (constants).

mod basic;
mod camera;
mod entry;
mod finder;
mod frame;
mod stage;
mod tracker;
mod zlut;

pub use basic::*;
pub use camera::*;
pub use entry::*;
pub use finder::*;
pub use frame::*;
pub use stage::*;
pub use tracker::*;
pub use zlut::*;
