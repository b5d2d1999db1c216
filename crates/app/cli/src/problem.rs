//! What went wrong, as the user sees it: `×`, the cause, the place in the file, and what would help.

use std::{error::Error, fmt};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use mta::{
    config::{ConfigErrors, Problem as ConfigProblem, Warning},
    handle::HandleError,
};

/// One or several problems, ready to be shown.
#[derive(Debug)]
pub struct Problem(Vec<Shown>);

/// One of them.
#[derive(Debug)]
struct Shown {
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    span: Option<LabeledSpan>,
    severity: miette::Severity,
}

impl Problem {
    /// Something without a place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Self(vec![Shown {
            message: message.into(),
            help: None,
            source: None,
            span: None,
            severity: miette::Severity::Error,
        }])
    }

    /// What would help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        let help = help.into();
        self.0.iter_mut().for_each(|shown| shown.help = Some(help.clone()));
        self
    }

    /// An error with its causes: `cannot read the password: no such file`.
    pub fn from_error(error: &dyn Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self::new(message)
    }

    /// Warnings of a file.
    pub fn warnings(path: &std::path::Path, text: &str, warnings: Vec<Warning>) -> Self {
        let mut problem = Self::in_file(path, text, warnings);
        problem.0.iter_mut().for_each(|shown| shown.severity = miette::Severity::Warning);
        problem
    }

    fn in_file(path: &std::path::Path, text: &str, problems: Vec<ConfigProblem>) -> Self {
        let shown = problems.into_iter().map(|problem| Shown {
            source: problem.span.is_some().then(|| {
                NamedSource::new(path.display().to_string(), text.to_owned()).with_language("TOML")
            }),
            span: problem.span.map(|span| LabeledSpan::underline(first_line(text, span))),
            message: problem.message,
            help: problem.help,
            severity: miette::Severity::Error,
        });
        Self(shown.collect())
    }

    /// As they would be shown on a narrow terminal without colours.
    #[cfg(test)]
    pub fn plain(self) -> String {
        let theme = miette::GraphicalTheme::unicode_nocolor();
        let handler = miette::GraphicalReportHandler::new_themed(theme).with_width(80);
        let mut page = String::new();
        for shown in &self.0 {
            handler.render_report(&mut page, shown).expect("a String takes everything");
        }
        page
    }

    /// All of them on one line, for a log or an answer: `FILE:LINE: MESSAGE (help: ...)`.
    pub fn in_short(&self) -> String {
        self.0.iter().map(Shown::in_short).collect::<Vec<_>>().join("; ")
    }

    /// Writes them to standard error.
    pub fn show(self) {
        for shown in self.0 {
            eprintln!("{:?}", miette::Report::new(shown));
        }
    }
}

impl Shown {
    fn in_short(&self) -> String {
        let place = self.source.as_ref().zip(self.span.as_ref()).map(|(source, span)| {
            let before = source.inner().as_bytes().get(..span.offset()).unwrap_or_default();
            let line = 1 + before.iter().filter(|&&octet| octet == b'\n').count();
            format!("{}:{line}: ", source.name())
        });
        let help = self.help.as_ref().map(|help| format!(" (help: {help})"));
        format!("{}{}{}", place.unwrap_or_default(), self.message, help.unwrap_or_default())
    }
}

/// A whole table as place is marked by its first line only.
fn first_line(text: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let marked = text.get(span.clone()).unwrap_or_default();
    span.start..marked.find('\n').map_or(span.end, |length| span.start + length)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Shown {}

impl Diagnostic for Shown {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.span.clone().into_iter()))
    }
}

impl From<ConfigErrors> for Problem {
    fn from(errors: ConfigErrors) -> Self {
        let place = |problem: ConfigProblem| match problem.span {
            Some(_) => problem,
            None => ConfigProblem {
                message: format!("{}: {}", errors.path.display(), problem.message),
                ..problem
            },
        };
        let problems = errors.problems.into_iter().map(place).collect();
        Self::in_file(&errors.path, &errors.text, problems)
    }
}

impl From<HandleError> for Problem {
    fn from(error: HandleError) -> Self {
        let problem = Self::from_error(&error);
        match error {
            HandleError::NotRunning(_) => problem.help(
                "start it with `mailwright serve`; if it runs with another configuration or data \
                 directory, name that with `--config FILE` or `--data DIR`",
            ),
            HandleError::NotAllowed(_) => {
                problem.help("run this command as the user who runs the server, or as root")
            }
            HandleError::Refused { help: Some(help), .. } => problem.help(help),
            HandleError::Broken { .. } => {
                problem.help("its log may tell more; is it of the same version as this command?")
            }
            HandleError::Refused { .. } | HandleError::Output(_) => problem,
        }
    }
}
