//! What an RPC may do beyond its first attempt: `retry(..)`, `retry = "none"` and `hedge(..)`.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use pool_call_policy::{Attempts, Codes, HedgingPolicy, InvalidPolicy, RetryPolicy, RetryThrottling};
use proc_macro2::TokenStream;
use syn::{Ident, Lit, LitStr};

use super::argument::{Argument, Value, split_at_commas};
use super::options::{given_twice, or_name};
use super::{did_you_mean, duration};
use crate::errors::Errors;
use crate::ir::Extra;

const RETRY_FIELDS: [&str; 5] = [
    "max_attempts",
    "initial_backoff",
    "max_backoff",
    "backoff_multiplier",
    "codes",
];
const HEDGE_FIELDS: [&str; 3] = ["max_attempts", "delay", "non_fatal_codes"];
const THROTTLING_FIELDS: [&str; 2] = ["max_tokens", "token_ratio"];

/// `retry`, `retry(max_attempts = 4)` or `retry = "none"`
pub(super) fn retry(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Extra> {
    match value {
        Value::Flag => Some(Extra::Attempts(Attempts::Retry(RetryPolicy::IDEMPOTENT))),
        Value::Inner(inner) => retry_policy(inner, errors),
        Value::Given(tokens) => match is_none(&tokens) {
            true => Some(Extra::Never),
            false => {
                errors.at(
                    or_name(&tokens, ident),
                    "write `retry`, `retry(max_attempts = 4, codes(UNAVAILABLE))`, or `retry = \"none\"`",
                );
                None
            }
        },
    }
}

/// `hedge(max_attempts = 3, delay = "50ms")`
pub(super) fn hedge(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Extra> {
    let Value::Inner(inner) = value else {
        let remedy = match value {
            Value::Given(tokens) if is_none(&tokens) => "what switches hedging off is `retry = \"none\"`",
            _ => "say how often and how soon: `hedge(max_attempts = 3, delay = \"50ms\")`",
        };
        errors.at(ident, remedy);
        return None;
    };
    let mut fields = Fields::read(inner, &HEDGE_FIELDS, errors);
    let attempts = fields.take("max_attempts", number, errors);
    let delay = fields.take("delay", time, errors);
    let codes = fields.take("non_fatal_codes", codes, errors).unwrap_or_default();
    if fields.spoiled {
        return None;
    }
    let (Some(attempts), Some(delay)) = (attempts, delay) else {
        errors.at(
            ident,
            "hedging needs `max_attempts` and `delay`: `hedge(max_attempts = 3, delay = \"50ms\")`",
        );
        return None;
    };
    let made = HedgingPolicy::new(attempts, delay, codes);
    fields
        .checked(made, errors)
        .map(|policy| Extra::Attempts(Attempts::Hedge(policy)))
}

/// Whether what stands in the parentheses behind `retry` or `hedge` is a policy, and not the options of an RPC that
/// has this name.
pub(super) fn is_policy(inner: &TokenStream) -> bool {
    split_at_commas(inner.clone()).iter().any(|tokens| {
        Argument::read(tokens).is_ok_and(|argument| {
            let name = argument.ident.to_string();
            RETRY_FIELDS.contains(&name.as_str()) || HEDGE_FIELDS.contains(&name.as_str())
        })
    })
}

/// `retry_throttling(max_tokens = 10, token_ratio = 0.1)`, which pool-build alone writes.
pub(super) fn throttling(inner: TokenStream, errors: &mut Errors) -> Option<RetryThrottling> {
    let mut fields = Fields::read(inner, &THROTTLING_FIELDS, errors);
    let tokens = fields.take("max_tokens", number, errors)?;
    let ratio = fields.take("token_ratio", number, errors)?;
    fields.checked(RetryThrottling::new(tokens, ratio), errors)
}

fn retry_policy(inner: TokenStream, errors: &mut Errors) -> Option<Extra> {
    let default = RetryPolicy::IDEMPOTENT;
    let mut fields = Fields::read(inner, &RETRY_FIELDS, errors);
    let attempts = fields.take("max_attempts", number, errors);
    let initial = fields.take("initial_backoff", time, errors);
    let max = fields.take("max_backoff", time, errors);
    let multiplier = fields.take("backoff_multiplier", number, errors);
    let codes = fields.take("codes", codes, errors);
    if fields.spoiled {
        return None;
    }
    let initial = initial.unwrap_or(default.initial_backoff);
    let made = RetryPolicy::new(
        attempts.unwrap_or(default.max_attempts),
        initial,
        // A longer first delay is not to be cut by a maximum that nobody has stated.
        max.unwrap_or(default.max_backoff.max(initial)),
        multiplier.unwrap_or(default.backoff_multiplier),
        codes.unwrap_or(default.codes),
    );
    fields
        .checked(made, errors)
        .map(|policy| Extra::Attempts(Attempts::Retry(policy)))
}

/// The fields of a policy, as they are given.
struct Fields {
    given: Vec<(Ident, TokenStream)>,
    values: Vec<(Ident, Value)>,
    /// One of them cannot be read, and an error says so.
    spoiled: bool,
}

impl Fields {
    fn read(inner: TokenStream, known: &[&str], errors: &mut Errors) -> Self {
        let mut fields = Self {
            given: Vec::new(),
            values: Vec::new(),
            spoiled: false,
        };
        for tokens in split_at_commas(inner) {
            if tokens.is_empty() {
                continue;
            }
            match Argument::read(&tokens) {
                Ok(Argument { ident, .. }) if fields.given.iter().any(|(given, _)| *given == ident) => {
                    given_twice(&ident, errors);
                }
                Ok(Argument { ident, value }) if known.contains(&ident.to_string().as_str()) => {
                    fields.given.push((ident.clone(), tokens));
                    fields.values.push((ident, value));
                    continue;
                }
                Ok(Argument { ident, .. }) => {
                    let hint = did_you_mean(&ident, known);
                    let all = known.join("`, `");
                    errors.at(&ident, format!("unknown field `{ident}`{hint}; the fields are `{all}`"));
                }
                Err(_) => errors.at(tokens, format!("expected a field: `{}`", known.join("`, `"))),
            }
            fields.spoiled = true;
        }
        fields
    }

    /// The value of a field, if it is given and can be read.
    fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&Ident, Value, &mut Errors) -> Option<T>,
        errors: &mut Errors,
    ) -> Option<T> {
        let index = self.values.iter().position(|(ident, _)| ident == name)?;
        let (ident, value) = self.values.swap_remove(index);
        let read = read(&ident, value, errors);
        self.spoiled |= read.is_none();
        read
    }

    /// What a constructor says of the values, said at the one that it refuses.
    fn checked<T>(&self, made: Result<T, InvalidPolicy>, errors: &mut Errors) -> Option<T> {
        let error = match made {
            Ok(made) => return Some(made),
            Err(error) => error,
        };
        // Only what was given can be wrong: the defaults are not.
        if let Some((_, tokens)) = self.given.iter().find(|(ident, _)| ident == error.field()) {
            errors.at(tokens, error);
        }
        None
    }
}

fn is_none(tokens: &TokenStream) -> bool {
    syn::parse2::<LitStr>(tokens.clone()).is_ok_and(|text| text.value() == "none")
}

/// `max_attempts = 4`, `backoff_multiplier = 1.5`
fn number<N>(ident: &Ident, value: Value, errors: &mut Errors) -> Option<N>
where
    N: FromStr,
    N::Err: Display,
{
    let tokens = match value {
        Value::Given(tokens) => tokens,
        Value::Flag | Value::Inner(_) => TokenStream::new(),
    };
    let digits = match syn::parse2(tokens.clone()) {
        Ok(Lit::Int(number)) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        Ok(Lit::Float(number)) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        _ => {
            errors.at(
                or_name(&tokens, ident),
                format!("`{ident}` takes a number, without a sign or a suffix: `{ident} = 2`"),
            );
            return None;
        }
    };
    match digits.parse() {
        Ok(number) => Some(number),
        Err(error) => {
            errors.at(tokens, format!("`{ident}` can't be `{digits}`: {error}"));
            None
        }
    }
}

/// `delay = "50ms"`
fn time(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Duration> {
    let tokens = match value {
        Value::Given(tokens) => tokens,
        Value::Flag | Value::Inner(_) => TokenStream::new(),
    };
    let Ok(literal) = syn::parse2::<LitStr>(tokens.clone()) else {
        errors.at(
            or_name(&tokens, ident),
            format!("`{ident}` takes a duration: `{ident} = \"100ms\"`"),
        );
        return None;
    };
    duration::any(&literal.value())
        .map_err(|message| errors.at(&literal, message))
        .ok()
}

/// `codes(UNAVAILABLE, ABORTED)`
fn codes(ident: &Ident, value: Value, errors: &mut Errors) -> Option<Codes> {
    let Value::Inner(inner) = value else {
        errors.at(
            ident,
            format!("`{ident}` takes status codes: `{ident}(UNAVAILABLE, ABORTED)`"),
        );
        return None;
    };
    let mut codes = Some(Codes::NONE);
    for tokens in split_at_commas(inner) {
        let name = tokens.to_string();
        match Codes::number(&name) {
            Some(number) => codes = codes.map(|codes| codes.with(number)),
            None => {
                let hint = Codes::nearest(&name).map_or_else(String::new, |known| format!(", did you mean `{known}`?"));
                let message = format!(
                    "`{name}` is not a status code{hint}; they are written as in gRPC's documents, for example `UNAVAILABLE`"
                );
                errors.at(or_name(&tokens, ident), message);
                codes = None;
            }
        }
    }
    codes
}
