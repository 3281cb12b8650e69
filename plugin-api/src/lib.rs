//! What a plugin for Tetherscope builds against: the C interface and a safe Rust SDK on top of it.
