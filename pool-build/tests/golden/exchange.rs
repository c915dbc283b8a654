pub mod exchange_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_exchange_client {
        pub use super::super::Old;
        pub use super::super::left::Item;
        pub use super::super::left::item::Part;
        pub use tonic_prost::ProstCodec;
        pub mod same_name_2 {
            pub use super::super::super::right::Item;
            pub use super::super::super::right::item::Part;
        }
        pub mod same_name_3 {
            pub use super::super::super::Item;
        }
    }
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_exchange_08820002c55b17b9 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; #[doc =
            " Swaps items of one kind for items of another."] #[doc = ""] #[doc =
            " What is swapped is gone."] service ExchangeClient
            __the_path_goes_through_exchange_client "awkward.Exchange"; #[doc =
            " Swaps left for right."] rpc swap "Swap" unary idempotent(__types::Item)
            (__types::same_name_2::Item) prost(__types::ProstCodec); #[doc =
            " Swaps parts."] #[doc = " Use `Swap` instead."] #[deprecated] rpc swap_part
            "SwapPart" unary unknown(__types::Part) (__types::same_name_2::Part)
            prost(__types::ProstCodec); rpc swap_old "SwapOld" unary
            unknown(__types::Old) (__types::Old) prost(__types::ProstCodec); rpc
            swap_back "SwapBack" bidi_streaming unknown(__types::same_name_2::Item)
            (__types::same_name_3::Item) prost(__types::ProstCodec); } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_exchange_08820002c55b17b9 as ExchangeClient;
}
pub mod empty_client {
    #[doc(hidden)]
    #[allow(ambiguous_glob_reexports, deprecated, unreachable_pub, unused_imports)]
    pub mod __the_path_goes_through_empty_client {}
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_empty_6744ddb08b6c8b37 {
        ($missing:ident ! { { $($then:tt)* } $($rest:tt)* }) => {
            $($then)* ! { { format 3; service EmptyClient
            __the_path_goes_through_empty_client "awkward.Empty"; } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_empty_6744ddb08b6c8b37 as EmptyClient;
}
