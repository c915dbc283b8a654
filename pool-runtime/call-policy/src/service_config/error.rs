//! What is wrong with a service config.

use std::fmt;

use super::place;

/// The most mistakes that are listed: finding the place of one takes a look at the text.
pub(super) const MAX_MISTAKES: usize = 100;

/// A field that cannot be followed.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: String,
    pub(super) problem: String,
}

/// Why a text is no service config: every mistake in it, up to 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

/// One mistake in a service config: the problem, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    path: Option<String>,
    line: usize,
    column: usize,
    problem: String,
}

impl ConfigError {
    /// Finds the place of each problem in `text`.
    pub(super) fn new(text: &str, problems: Vec<Problem>) -> Self {
        let mistake = |Problem { path, problem }| {
            let (line, column) = place::of(text, &path);
            Mistake {
                path: Some(path),
                line,
                column,
                problem,
            }
        };
        let mut mistakes: Vec<Mistake> = problems.into_iter().take(MAX_MISTAKES).map(mistake).collect();
        mistakes.sort_by_key(Mistake::line_and_column);
        Self { mistakes }
    }

    pub(super) fn syntax(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        // The same place is at the end of the error's own text.
        let problem = error.to_string();
        let end = format!(" at line {line} column {column}");
        let problem = problem.strip_suffix(&end).unwrap_or(&problem).to_owned();
        Self {
            mistakes: vec![Mistake {
                path: None,
                line,
                column,
                problem,
            }],
        }
    }

    /// The mistakes, at least one, in the order of the text.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl Mistake {
    /// The field at fault, `methodConfig[2].retryPolicy.maxAttempts` for example; none if the text is not JSON, and
    /// the empty one if it is JSON but no object.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// Line and column, each from 1: where the text stops being JSON, where the value at fault is, or, for a field that
    /// is missing, where the object is that should have it.
    pub fn line_and_column(&self) -> (usize, usize) {
        (self.line, self.column)
    }

    /// What is wrong there, as the rest of a sentence that begins with the path, if there is one.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            None => write!(f, "line {}, column {}: ", self.line, self.column)?,
            Some(path) if path.is_empty() => f.write_str("the service config ")?,
            Some(path) => write!(f, "{path} ")?,
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for ConfigError {}
