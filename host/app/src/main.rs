//! The program `tetherscope`.

fn main() {}
