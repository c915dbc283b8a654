//! Policies as the runtime's constants.

use pool_call_policy::{Attempts, Codes};
use proc_macro2::{Literal, TokenStream};
use quote::quote;
use syn::Path;

use super::duration;
use crate::ir::{Extra, Options, PoolConfig};

/// Output: `.attempts(Attempts::Retry(..))` or `.no_attempts()`
pub(super) fn extra(krate: &Path, extra: Extra) -> TokenStream {
    match extra {
        Extra::Never => quote!(.no_attempts()),
        Extra::Attempts(policy) => {
            let policy = attempts(krate, policy);
            quote!(.attempts(#policy))
        }
    }
}

/// Output: `.config(MethodConfig::NONE.timeout(..).wait_for_ready(true))`, or nothing where nothing is said.
pub(super) fn config(krate: &Path, options: &Options) -> Option<TokenStream> {
    let private = quote!(#krate::__private);
    let mut said = TokenStream::new();
    if let Some(after) = options.deadline.as_ref().and_then(|deadline| deadline.after) {
        let after = duration(after);
        said.extend(quote!(.timeout(#after)));
    }
    if let Some(wait) = options.wait_for_ready {
        said.extend(quote!(.wait_for_ready(#wait)));
    }
    if let Some(Extra::Attempts(policy)) = options.extra {
        let policy = attempts(krate, policy);
        said.extend(quote!(.attempts(#policy)));
    }
    if let Some(bytes) = options.max_request.map(Literal::u32_unsuffixed) {
        said.extend(quote!(.max_request_message_bytes(#bytes)));
    }
    if let Some(bytes) = options.max_response.map(Literal::u32_unsuffixed) {
        said.extend(quote!(.max_response_message_bytes(#bytes)));
    }
    (!said.is_empty()).then(|| quote!(.config(#private::MethodConfig::NONE #said)))
}

/// Output: `const __POOL: PoolConfig = PoolConfig::NONE.retry_throttling(..).max_connections(3);`, or nothing where
/// nothing is said.
pub(super) fn pool(krate: &Path, config: &PoolConfig) -> Option<TokenStream> {
    let private = quote!(#krate::__private);
    let mut said = TokenStream::new();
    if let Some(throttling) = config.throttling {
        let tokens = Literal::u32_unsuffixed(throttling.max_tokens);
        let ratio = Literal::f64_unsuffixed(throttling.token_ratio);
        said.extend(quote!(.retry_throttling(#private::RetryThrottling::unchecked(#tokens, #ratio))));
    }
    if let Some(most) = config.max_connections.map(Literal::u32_unsuffixed) {
        said.extend(quote!(.max_connections(#most)));
    }
    (!said.is_empty()).then(|| quote!(const __POOL: #private::PoolConfig = #private::PoolConfig::NONE #said;))
}

/// Output: `Attempts::Retry(RetryPolicy::unchecked(..))`
fn attempts(krate: &Path, attempts: Attempts) -> TokenStream {
    let private = quote!(#krate::__private);
    match attempts {
        Attempts::Retry(policy) => {
            let most = Literal::u32_unsuffixed(policy.max_attempts);
            let initial = duration(policy.initial_backoff);
            let max = duration(policy.max_backoff);
            let multiplier = Literal::f64_unsuffixed(policy.backoff_multiplier);
            let codes = codes(krate, policy.codes);
            quote! {
                #private::Attempts::Retry(
                    #private::RetryPolicy::unchecked(#most, #initial, #max, #multiplier, #codes)
                )
            }
        }
        Attempts::Hedge(policy) => {
            let most = Literal::u32_unsuffixed(policy.max_attempts);
            let delay = duration(policy.delay);
            let codes = codes(krate, policy.non_fatal_codes);
            quote!(#private::Attempts::Hedge(#private::HedgingPolicy::unchecked(#most, #delay, #codes)))
        }
    }
}

/// Output: `Codes::from_bits(0b100000000000000)`
fn codes(krate: &Path, codes: Codes) -> TokenStream {
    let bits = Literal::u32_unsuffixed(codes.bits());
    quote!(#krate::__private::Codes::from_bits(#bits))
}
