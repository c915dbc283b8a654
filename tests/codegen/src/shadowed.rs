//! A module where every name that generated code could be tempted to use means something else.

#![allow(dead_code, non_snake_case, clippy::upper_case_acronyms)]

mod std {}
mod core {}
mod tonic {}
mod pool_runtime {}
mod prost {}

struct Result;
struct Option;
struct String;
struct Client;
struct Method;
struct Pool;
struct Duration;
struct METHOD;
trait Clone {}
trait Debug {}
trait Default {}
trait From {}
trait Into {}
trait IntoRequest {}
trait Send {}
trait Sync {}
trait Future {}
fn Ok() {}
fn Err() {}
fn Some() {}
fn None() {}

#[::pool_runtime::pooled_client(
    crate::helloworld::greeter_client::GreeterClient,
    deadline = "2s",
    wait_for_ready,
    chat(deadline = "1s", wait_for_ready = false)
)]
pub struct Greeter;
