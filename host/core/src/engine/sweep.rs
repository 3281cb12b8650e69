//! Z-LUT sweeps in the running experiment: which positions, which frames, one step after the other, and the tables that
//! come of it. What a client may ask for stands in [`control`](crate::engine::control); what moves the stage in
//! [`stages`](crate::stages); how tables are built from frames in [`Sweep`](crate::Sweep).

mod capture;
mod positions;
mod run;
mod tables;

pub(crate) use capture::Capture;
pub(crate) use positions::positions_nm;
pub(crate) use run::{SweepJob, SweepShared};
pub(crate) use tables::{SweepTables, make_tables};
