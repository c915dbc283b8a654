pub mod exchange_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {
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
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; #[doc =
            " Swaps items of one kind for items of another."] #[doc = ""] #[doc =
            " What is swapped is gone."] service ExchangeClient "awkward.Exchange"; #[doc
            = " Swaps left for right."] rpc swap "Swap" unary idempotent($($module)*
            ::__pool::Item) ($($module)* ::__pool::same_name_2::Item) prost($($module)*
            ::__pool::ProstCodec); #[doc = " Swaps parts."] #[doc =
            " Use `Swap` instead."] #[deprecated] rpc swap_part "SwapPart" unary
            unknown($($module)* ::__pool::Part) ($($module)* ::__pool::same_name_2::Part)
            prost($($module)* ::__pool::ProstCodec); rpc swap_old "SwapOld" unary
            unknown($($module)* ::__pool::Old) ($($module)* ::__pool::Old)
            prost($($module)* ::__pool::ProstCodec); rpc swap_back "SwapBack"
            bidi_streaming unknown($($module)* ::__pool::same_name_2::Item) ($($module)*
            ::__pool::same_name_3::Item) prost($($module)* ::__pool::ProstCodec); }
            $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_exchange_08820002c55b17b9 as compile_this_proto_with_pool_build;
}
pub mod empty_client {
    #[doc(hidden)]
    #[allow(deprecated, unreachable_pub, unused_imports)]
    pub mod __pool {}
    #[doc(hidden)]
    #[allow(unused_macros)]
    #[macro_export]
    macro_rules! __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_empty_6744ddb08b6c8b37 {
        ({ $($then:tt)* } { $($module:tt)* } $($rest:tt)*) => {
            $($then)* ! { { format 2; service EmptyClient "awkward.Empty"; } $($rest)* }
        };
    }
    #[doc(hidden)]
    #[allow(unused_imports)]
    pub use __pool_include_this_file_once_or_generate_it_with_cross_crate_false_awkward_empty_6744ddb08b6c8b37 as compile_this_proto_with_pool_build;
}
