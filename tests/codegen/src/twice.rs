//! A file that is included more than once in a crate, in a module tree written by hand.
//!
//! It is generated with `cross_crate(false)`.

#[allow(clippy::module_inception)]
pub mod once {
    pub mod awkward {
        include!(concat!(env!("OUT_DIR"), "/twice/awkward.rs"));

        pub mod left {
            include!(concat!(env!("OUT_DIR"), "/twice/awkward.left.rs"));
        }
        pub mod right {
            include!(concat!(env!("OUT_DIR"), "/twice/awkward.right.rs"));
        }
    }
}

pub mod again {
    pub mod awkward {
        include!(concat!(env!("OUT_DIR"), "/twice/awkward.rs"));

        pub mod left {
            include!(concat!(env!("OUT_DIR"), "/twice/awkward.left.rs"));
        }
        pub mod right {
            include!(concat!(env!("OUT_DIR"), "/twice/awkward.right.rs"));
        }
    }
}

#[pool_runtime::pooled_client(once::awkward::exchange_client::ExchangeClient)]
pub struct Once;

#[pool_runtime::pooled_client(again::awkward::exchange_client::ExchangeClient)]
pub struct Again;
