use std::fmt;

/// A value that a policy cannot have: which, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy {
    field: &'static str,
    problem: String,
}

impl InvalidPolicy {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self {
            field,
            problem: problem.into(),
        }
    }

    /// The argument at fault, `max_attempts` for example.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it, as the rest of a sentence that begins with its name.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl std::error::Error for InvalidPolicy {}
