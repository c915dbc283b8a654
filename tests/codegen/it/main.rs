//! What pool-build and pool-macros make of protos, one module per question.

mod methods;
mod types;
mod ui;
