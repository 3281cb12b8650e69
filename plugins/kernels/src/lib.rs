//! The numerics of bead tracking as plain functions: views in, numbers out.
