//! pool-build and pool_runtime have to fit each other.

use pool_runtime::pooled_client;

mod greeter_client {
    macro_rules! described_by_a_later_version {
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)*! { { format 3; whatever comes after this one } $($rest)* }
        };
    }
    pub(crate) use described_by_a_later_version as compile_this_proto_with_pool_build;
}

#[pooled_client(greeter_client::GreeterClient)]
pub struct Greeter;

fn main() {}
