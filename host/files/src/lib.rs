//! Every measurement file that Tetherscope reads or writes.
