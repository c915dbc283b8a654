//! Where a value stands in the text.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// Line and column of the value at `path`, or of the innermost value around it that is there.
pub(super) fn of(text: &str, path: &str) -> (usize, usize) {
    let mut value = text.trim_start();
    for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
        match child(value, step) {
            Some(child) => value = child,
            None => break,
        }
    }
    // Every value is a part of the text.
    let before = &text[..text.len() - remaining(text, value)];
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count() + 1)
}

/// The element `1]` or the field `timeout` of a value; of two fields of one name the last one counts.
fn child<'a>(value: &'a str, step: &str) -> Option<&'a str> {
    let child = match step.strip_suffix(']') {
        Some(index) => {
            let items: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            *items.get(index.parse::<usize>().ok()?)?
        }
        None => {
            let fields: HashMap<String, &RawValue> = serde_json::from_str(value).ok()?;
            *fields.get(step)?
        }
    };
    Some(child.get())
}

/// How many bytes of `text` are left where `part`, which is a part of it, begins.
fn remaining(text: &str, part: &str) -> usize {
    let end = text.as_ptr() as usize + text.len();
    end.saturating_sub(part.as_ptr() as usize).min(text.len())
}
