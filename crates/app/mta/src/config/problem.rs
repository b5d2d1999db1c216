//! What is wrong with a configuration: each problem with its place in the file and a remedy.

use std::{fmt, ops::Range, path::PathBuf};

/// One thing that is wrong, or worth a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, lower case, without full stop.
    pub message: String,
    /// Octets of the file that it is about; `None` if it is about none in particular.
    pub span: Option<Range<usize>>,
    /// What would be right.
    pub help: Option<String>,
}

/// A problem that doesn't keep the server from running.
pub type Warning = Problem;

/// All that keeps a configuration from being used.
#[derive(Debug)]
pub struct ConfigErrors {
    /// The file.
    pub path: PathBuf,
    /// Its text; empty if it could not be read.
    pub text: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl Problem {
    /// A problem without place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), span: None, help: None }
    }

    /// Where it is.
    #[must_use]
    pub fn at(self, span: Option<Range<usize>>) -> Self {
        Self { span, ..self }
    }

    /// What would be right.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The line of `text` that it is in, from 1.
    pub fn line(&self, text: &str) -> Option<usize> {
        let before = text.as_bytes().get(..self.span.as_ref()?.start)?;
        Some(1 + before.iter().filter(|&&octet| octet == b'\n').count())
    }
}

/// One line a problem, for logs: `FILE:LINE: MESSAGE (help: ...)`. A terminal gets more from `cli`.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.path.display())?;
            if let Some(line) = problem.line(&self.text) {
                write!(f, ":{line}")?;
            }
            write!(f, ": {}", problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, " (help: {help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
