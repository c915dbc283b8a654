//! The error of a build: one entry per mistake, printed so that a person can act on it.
//!
//! `fn main() -> Result<(), Box<dyn Error>>` prints an error with `Debug`. So `Debug` is the same as
//! `Display` here: a line `file:line:column: message` per mistake, which editors and terminals make
//! clickable, instead of a nest of structs.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, SourceCode};

/// What can be compiled.
pub(crate) const SYNTAX: &str = "prost knows `proto2` and `proto3`, and no editions";

/// Why `.proto` files could not be compiled, or a service config not be followed.
pub struct Error {
    /// What the mistakes are in.
    place: &'static str,
    mistakes: Vec<String>,
    cause: Option<io::Error>,
}

impl Error {
    /// An error that consists of `mistakes`; the same mistake is told once, however often it was met.
    pub(crate) fn new(mistakes: impl IntoIterator<Item = String>) -> Self {
        let mut unique = Vec::new();
        for mistake in mistakes {
            if !unique.contains(&mistake) {
                unique.push(mistake);
            }
        }
        Self {
            place: ".proto files",
            mistakes: unique,
            cause: None,
        }
    }

    /// An error in a service config.
    pub(crate) fn config(mistakes: impl IntoIterator<Item = String>) -> Self {
        Self {
            place: "the service config",
            ..Self::new(mistakes)
        }
    }

    /// The message with which prost-build panicked.
    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("the reason stands above");
        Self::new([format!("prost-build can't compile these .proto files: {text}")])
    }

    /// The error with the lines of protoc's output as mistakes, each with the path under which the user knows its file.
    pub(crate) fn of_protoc(self, includes: &[PathBuf]) -> Self {
        const MARK: &str = "protoc failed: ";
        let text = self.cause.as_ref().map(io::Error::to_string).unwrap_or_default();
        let Some(output) = text.strip_prefix(MARK) else {
            return self;
        };
        let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
        match lines.is_empty() {
            true => self,
            false => Self::new(lines.into_iter().map(|line| with_path(line, includes))),
        }
    }

    /// An error of the operating system, or of prost-build, which reports through the same type.
    pub(crate) fn io(what: impl fmt::Display, cause: io::Error) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new([what.to_string()])
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The line starts with "Error: " already, and a path is only clickable at the start of one.
        if self.mistakes.len() > 1 {
            write!(f, "{} mistakes in {}\n{self}", self.mistakes.len(), self.place)?;
        } else {
            write!(f, "{self}")?;
        }
        // `Debug` is all that a build script prints, so the cause has to be in it.
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause = self.cause.as_ref()?;
        Some(cause)
    }
}

/// The mistakes that protox found, each as `path:line:column: message`.
pub(crate) fn mistakes(error: &protox::Error, includes: &[PathBuf]) -> Vec<String> {
    let file = error.file().map(|name| locate(name, includes));
    let related = error.related().into_iter().flatten();
    std::iter::once(error as &dyn Diagnostic)
        .chain(related)
        .map(|mistake| {
            let source = mistake.source_code().or_else(|| error.source_code());
            describe(mistake, source, file.as_deref())
        })
        .collect()
}

/// A line of protoc's output. It begins with the file's name as it is imported, which is a path below an include path.
fn with_path(line: &str, includes: &[PathBuf]) -> String {
    match line.split_once(':') {
        Some((name, rest)) if name.ends_with(".proto") => format!("{}:{rest}", locate(name, includes).display()),
        _ => line.to_owned(),
    }
}

/// The path under which the user knows the file that protox calls `name`.
pub(crate) fn locate(name: &str, includes: &[PathBuf]) -> PathBuf {
    includes
        .iter()
        .map(|include| include.join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| PathBuf::from(name))
}

/// One mistake: where it is, what it is, and what else belongs to it.
fn describe(mistake: &dyn Diagnostic, source: Option<&dyn SourceCode>, file: Option<&Path>) -> String {
    let mut labels: Vec<LabeledSpan> = mistake.labels().into_iter().flatten().collect();
    // Where there are two places, as with a name defined twice, one is at fault and the other is told in a note.
    let at_fault = labels.iter().position(is_at_fault).unwrap_or_default();
    let place = (at_fault < labels.len()).then(|| labels.remove(at_fault));
    let message = with_cause(mistake);
    let at = match place {
        Some(place) => position(&place, source),
        None => file.and_then(|file| end_of_file(&message, file)),
    };
    // To protox an edition is a word out of place.
    let is_edition = message.ends_with("but found 'edition'");
    let mut text = match (file, at) {
        (Some(file), Some((line, column))) => {
            format!("{}:{line}:{column}: {message}", file.display())
        }
        (Some(file), None) => format!("{}: {message}", file.display()),
        (None, _) => message,
    };
    for label in labels {
        if let (Some((line, column)), Some(note)) = (position(&label, source), label.label()) {
            text.push_str(&format!("\n  note: {note}, at {line}:{column}"));
        }
    }
    if let Some(help) = mistake.help() {
        text.push_str(&format!("\n  help: {help}"));
    }
    if is_edition {
        text.push_str(&format!("\n  help: {SYNTAX}"));
    }
    text
}

/// Labels have no other mark than their text.
fn is_at_fault(label: &LabeledSpan) -> bool {
    label
        .label()
        .is_some_and(|text| text.ends_with("found here") || text.ends_with("again here"))
}

/// The message with the messages of what caused it, as an I/O error is told by its cause alone.
fn with_cause(mistake: &dyn Diagnostic) -> String {
    let mut text = mistake.to_string();
    let mut cause = mistake.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Line and column of a label, both counted from one.
fn position(label: &LabeledSpan, source: Option<&dyn SourceCode>) -> Option<(usize, usize)> {
    let contents = source?.read_span(label.inner(), 0, 0).ok()?;
    Some((contents.line() + 1, contents.column() + 1))
}

/// Where the end of the file is, if that is what the message is about: protox gives it no label.
fn end_of_file(message: &str, file: &Path) -> Option<(usize, usize)> {
    if !message.ends_with("reached end of file") {
        return None;
    }
    let text = std::fs::read_to_string(file).ok()?;
    let last = text.rsplit('\n').next().unwrap_or_default();
    Some((text.matches('\n').count() + 1, last.chars().count() + 1))
}
