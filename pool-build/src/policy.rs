//! What a service config says, in the grammar of the attribute: so no JSON is read when the program runs, and the macro
//! has one grammar to know.

use pool_call_policy::{Attempts, Codes, MethodConfig, ServiceConfig, duration};
use proc_macro2::{Literal, TokenStream};
use quote::{format_ident, quote};

/// Output: `{ deadline = "1s500ms", retry(max_attempts = 4, .., codes(UNAVAILABLE)) }`, or nothing where nothing is
/// said.
pub(crate) fn method(config: &MethodConfig) -> TokenStream {
    let mut said = Vec::new();
    if let Some(timeout) = config.timeout {
        let timeout = duration::to_text(timeout);
        said.push(quote!(deadline = #timeout));
    }
    if let Some(wait) = config.wait_for_ready {
        said.push(quote!(wait_for_ready = #wait));
    }
    said.extend(config.attempts.map(attempts));
    if let Some(bytes) = config.max_request_message_bytes.map(Literal::usize_unsuffixed) {
        said.push(quote!(max_request_message_bytes = #bytes));
    }
    if let Some(bytes) = config.max_response_message_bytes.map(Literal::usize_unsuffixed) {
        said.push(quote!(max_response_message_bytes = #bytes));
    }
    in_braces(&said)
}

/// Output: `{ retry_throttling(max_tokens = 10, token_ratio = 0.1), max_connections = 3 }`, or nothing.
pub(crate) fn pool(config: &ServiceConfig) -> TokenStream {
    let mut said = Vec::new();
    if let Some(throttling) = config.retry_throttling() {
        let tokens = Literal::u32_unsuffixed(throttling.max_tokens);
        let ratio = Literal::f64_unsuffixed(throttling.token_ratio);
        said.push(quote!(retry_throttling(max_tokens = #tokens, token_ratio = #ratio)));
    }
    if let Some(most) = config.max_connections().map(Literal::usize_unsuffixed) {
        said.push(quote!(max_connections = #most));
    }
    in_braces(&said)
}

fn in_braces(said: &[TokenStream]) -> TokenStream {
    match said {
        [] => TokenStream::new(),
        said => quote!({ #(#said),* }),
    }
}

fn attempts(attempts: Attempts) -> TokenStream {
    match attempts {
        Attempts::Retry(policy) => {
            let most = Literal::u32_unsuffixed(policy.max_attempts);
            let initial = duration::to_text(policy.initial_backoff);
            let max = duration::to_text(policy.max_backoff);
            let multiplier = Literal::f64_unsuffixed(policy.backoff_multiplier);
            let codes = codes(policy.codes);
            quote!(retry(
                max_attempts = #most,
                initial_backoff = #initial,
                max_backoff = #max,
                backoff_multiplier = #multiplier,
                codes(#codes)
            ))
        }
        Attempts::Hedge(policy) => {
            let most = Literal::u32_unsuffixed(policy.max_attempts);
            let delay = duration::to_text(policy.delay);
            let codes = codes(policy.non_fatal_codes);
            quote!(hedge(max_attempts = #most, delay = #delay, non_fatal_codes(#codes)))
        }
    }
}

fn codes(codes: Codes) -> TokenStream {
    let names = codes.names().map(|name| format_ident!("{name}"));
    quote!(#(#names),*)
}
