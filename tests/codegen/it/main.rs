//! What pool-build and pool-macros make of protos, one module per question.

mod echo;
mod health;
mod json;
mod methods;
mod run;
mod types;
mod ui;
