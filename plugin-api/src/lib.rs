//! What a plugin for Tetherscope builds against.
//!
//! Two layers. [`abi`] is the contract: C structs, constants and function tables, no code; the C header
//! `c/tetherscope.h` is generated from it. [`sdk`] is a safe Rust layer over it: implement a trait
//! ([`Tracker`], [`ZlutStrategy`], [`Camera`], [`Stage`] or [`BeadFinder`]) and name the types in [`export_plugin!`].
//!
//! # The life of a plugin, in numbered steps
//!
//! 1. The host reads the file: format, symbol [`abi::PluginEntry`], magic, versions, struct sizes. Nothing of it runs.
//! 2. First time for this content: a child process loads it and asks for its descriptors, under a time limit.
//! 3. The library is opened in the host (or in a child of its own when it is isolated) and never unloaded.
//! 4. `open` is called once per process and touches no device.
//! 5. A user chooses a method: `create(parameters)` makes an *instance*, immutable from then on.
//! 6. The host makes *workers* from the instance, one per thread that will call, off the live path.
//! 7. Batches of ROIs are handed to `track` and `lookup`; cameras deliver frames, stages move.
//! 8. Workers, tables and instances are freed in that order; `close` is called once before the process ends.
//!
//! # Threads
//!
//! *Instance*: shared by all threads, never changed. *Worker*: one caller at a time, moved between threads freely.
//! *Camera*, *stage*: one caller at a time, except `stop`, which may come while another call runs. A plugin makes no
//! threads of its own (a device's SDK apart), keeps no state between batches and needs no locks. The host
//! parallelises.
//!
//! # Numbers
//!
//! x is the column (to the right), y the row (downwards); (0, 0) is the middle of the top-left pixel of the ROI.
//! z is the focus position of the sweep at which the bead looks the same, in nm. "No result" is NaN and a flag,
//! never a plausible number.

pub mod abi;
pub mod sdk;

pub use sdk::*;
