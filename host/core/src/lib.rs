//! Runs an experiment: frames from a camera plugin through trackers and Z-LUTs to rows.
