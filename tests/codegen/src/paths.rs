//! Every way to write the path of a client of the same crate, and of the runtime's crate.

use pool_runtime::pooled_client;

use crate::helloworld::greeter_client;
use crate::runtime_by_another_name::pooled_client as attribute_by_another_name;

#[pooled_client(crate::helloworld::greeter_client::GreeterClient)]
pub struct FromTheCrate;

#[pooled_client(super::helloworld::greeter_client::GreeterClient)]
pub struct FromTheParent;

#[pooled_client(greeter_client::GreeterClient)]
pub struct FromAnImportedModule;

#[pooled_client(self::greeter_client::GreeterClient)]
pub struct FromThisModule;

#[pooled_client(codegen_api::helloworld::greeter_client::GreeterClient)]
pub struct FromAnotherCrate;

#[pooled_client(::codegen_api::helloworld::greeter_client::GreeterClient)]
pub struct FromAnotherCrateForSure;

#[attribute_by_another_name(
    greeter_client::GreeterClient,
    crate = "crate::runtime_by_another_name",
    deadline = "2s",
    say_hello(deadline = "250ms", idempotent)
)]
pub struct WithRenamedRuntime;

/// Two clients of one service in one module do not get in each other's way.
pub fn in_a_function(pool: pool_runtime::Pool) -> impl Clone + Send + Sync {
    #[pooled_client(greeter_client::GreeterClient)]
    struct InAFunction;
    InAFunction::new(pool)
}
