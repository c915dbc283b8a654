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

/// A duration: read, it is neither zero nor longer than a deadline may be, and is what it says in its smallest unit.
pub fn duration(text: &str) {
    let Ok(duration) = crate::duration::parse(text) else {
        return;
    };
    assert!(!duration.is_zero(), "{text}");
    let micros = duration.as_micros();
    assert_eq!(duration.as_nanos(), micros * 1_000, "{text}");
    assert!(micros <= 99_999_999 * 3_600 * 1_000_000, "{text}");
    if let Ok(micros) = u64::try_from(micros) {
        assert_eq!(crate::duration::parse(&format!("{micros}us")), Ok(duration), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::mutate::feed;

    /// Inputs for each property: half a second in all, unoptimised.
    const COUNT: usize = 1_500;

    fn text(check: fn(&str)) -> impl Fn(&[u8]) {
        move |input| check(&String::from_utf8_lossy(input))
    }

    #[test]
    fn whatever_the_arguments_are_what_comes_out_is_rust() {
        feed("attribute", COUNT, text(super::attribute));
    }

    #[test]
    fn durations_are_what_they_say() {
        feed("duration", COUNT, text(super::duration));
    }
}
