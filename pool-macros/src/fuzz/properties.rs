//! What must hold of whatever a user writes: part of the tests, and of the fuzz targets.

#[cfg(test)]
#[path = "../../../tests/fuzz/src/mutate.rs"]
mod mutate;

use proc_macro2::TokenStream;
use quote::quote;

/// The arguments of the attribute: whatever they are, what comes out is Rust, or errors that are.
pub fn attribute(text: &str) {
    let Ok(args) = text.parse::<TokenStream>() else {
        return;
    };
    let output = crate::expand::client(
        args,
        quote!(
            struct Greeter;
        ),
    );
    let parsed = syn::parse2::<syn::File>(output.clone());
    assert!(parsed.is_ok(), "{output}");
}

#[cfg(test)]
mod tests {
    use super::mutate::feed;

    /// Inputs: half a second in all, unoptimised.
    const COUNT: usize = 1_500;

    #[test]
    fn whatever_the_arguments_are_what_comes_out_is_rust() {
        feed("attribute", COUNT, |input| {
            super::attribute(&String::from_utf8_lossy(input))
        });
    }
}
