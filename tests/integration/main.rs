//! One integration binary: every module is one subject.

mod golden;
