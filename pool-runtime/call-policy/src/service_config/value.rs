//! JSON values that know where they stand, read as protobuf's JSON has them.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{MAX_MISTAKES, Problem};
use crate::duration;

/// A value that is there, and not `null`.
pub(super) struct Node<'a> {
    path: String,
    value: &'a Value,
}

/// The problems met so far: the reader goes on after each.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

/// An object, whose fields can be asked for.
pub(super) struct Object<'a> {
    path: String,
    fields: &'a Map<String, Value>,
}

impl Problems {
    /// The value, or nothing after noting why there is none.
    pub(super) fn note<T>(&mut self, read: Result<T, Problem>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problem) => {
                self.add(problem);
                None
            }
        }
    }

    pub(super) fn add(&mut self, problem: Problem) {
        if self.0.len() < MAX_MISTAKES {
            self.0.push(problem);
        }
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

impl<'a> Node<'a> {
    /// The whole text.
    pub(super) fn root(value: &'a Value) -> Self {
        let path = String::new();
        Self { path, value }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> Problem {
        Problem {
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    fn is_no(&self, expected: &str) -> Problem {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.invalid(format!("is {found}, not {expected}"))
    }

    pub(super) fn object(self) -> Result<Object<'a>, Problem> {
        match self.value {
            Value::Object(fields) => Ok(Object {
                path: self.path,
                fields,
            }),
            _ => Err(self.is_no("an object")),
        }
    }

    /// The elements of an array.
    pub(super) fn items(&self) -> Result<impl Iterator<Item = Node<'a>>, Problem> {
        let Value::Array(items) = self.value else {
            return Err(self.is_no("an array"));
        };
        let path = self.path.clone();
        Ok(items.iter().enumerate().map(move |(index, value)| Node {
            path: format!("{path}[{index}]"),
            value,
        }))
    }

    pub(super) fn string(&self) -> Result<&'a str, Problem> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.is_no("a string")),
        }
    }

    pub(super) fn boolean(&self) -> Result<bool, Problem> {
        match self.value {
            Value::Bool(value) => Ok(*value),
            _ => Err(self.is_no("true or false")),
        }
    }

    pub(super) fn duration(&self) -> Result<Duration, Problem> {
        let text = self.string()?;
        duration::parse_proto(text).map_err(|error| self.invalid(format!("is no duration: {error}")))
    }

    /// A number, or a string with one in it.
    pub(super) fn number(&self) -> Result<f64, Problem> {
        let number = match self.value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse().ok(),
            _ => return Err(self.is_no("a number")),
        };
        match number {
            Some(number) if number.is_finite() => Ok(number),
            _ => Err(self.invalid("is not a number")),
        }
    }

    /// A whole number as a `uint32` of protobuf has it; `2.0` is one.
    pub(super) fn integer(&self) -> Result<u32, Problem> {
        let number = self.number()?;
        // The cast saturates, and what it changed is not the same number any more.
        let integer = number as u32;
        if f64::from(integer) == number {
            Ok(integer)
        } else {
            Err(self.invalid(format!("is {number}, not a whole number from 0 to {}", u32::MAX)))
        }
    }
}

impl<'a> Object<'a> {
    /// A field; `null` says as little as its absence.
    pub(super) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        let path = self.path_of(name);
        Some(Node { path, value })
    }

    /// A field that has to be there.
    pub(super) fn require(&self, name: &str) -> Result<Node<'a>, Problem> {
        self.get(name)
            .ok_or_else(|| self.invalid(name, "is missing: gRPC requires it"))
    }

    /// A field, read in some way if it is there.
    pub(super) fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(Node<'a>) -> Result<T, Problem>,
    ) -> Result<Option<T>, Problem> {
        self.get(name).map(read).transpose()
    }

    /// A problem with a field.
    pub(super) fn invalid(&self, name: &str, problem: impl Into<String>) -> Problem {
        Problem {
            path: self.path_of(name),
            problem: problem.into(),
        }
    }

    fn path_of(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }
}
