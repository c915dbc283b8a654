//! pool-build and pool_runtime have to fit each other.

use pool_runtime::pooled_client;

mod greeter_client {
    pub(crate) struct GreeterClient;

    macro_rules! described_by_a_later_version {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)*! { { format 4; whatever comes after this one } $($rest)* }
        };
    }
    pub(crate) use described_by_a_later_version as GreeterClient;
}

#[pooled_client(greeter_client::GreeterClient)]
pub struct Greeter;

fn main() {}
