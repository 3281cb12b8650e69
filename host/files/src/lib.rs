//! Every measurement file that Tetherscope reads or writes.
//!
//! Two rules hold for all of them. A file appears whole or not at all: it is written under a
//! temporary name in the same folder, synced and renamed. Nothing is overwritten: an existing
//! target is an error that says so. Errors are three lines: the thing, the cause, the mend.
//!
//! This crate knows formats. It runs nothing, loads no plugin and draws nothing.

mod error;
mod new_file;
mod rows;
mod text;

pub use error::{ErrorKind, FileError, Result};
pub use rows::{
    ROW_COLUMNS, ROWS_VERSION, ROWS_VERSION_KEY, Row, RowsReader, RowsWriter, read_rows,
};
